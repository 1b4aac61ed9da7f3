"""Where a value that is not finite comes from, in words."""

from __future__ import annotations

import math
from collections.abc import Iterator

from msgspec.structs import replace

from mlxprobe.protocol.facts.files import SavedNotFinite
from mlxprobe.protocol.facts.gradients import FirstGradient, GradientNotFinite, GradientsRecovered
from mlxprobe.protocol.facts.losses import EvaluationNotFinite, LossNotFinite, NotFiniteOrigin
from mlxprobe.rules.registry import finding, listed, place, rule
from mlxprobe.schema.enums import Severity
from mlxprobe.schema.losses import first_bad, first_lasting, unit
from mlxprobe.schema.observation import Observation, Sighting
from mlxprobe.schema.record import Finding

Symptom = tuple[str, int, Severity, tuple[str, int]]  # what was seen, of which gradient call, how grave, where
HALF_ENDS = {"float16": "65,504", "bfloat16": "3.4e38", "float32": "3.4e38"}
DENOMINATOR = "a denominator that cannot be 0: `mx.maximum(d, 1e-6)`"
KINDS = {  # what happened, and what serves instead
    "empty mask": (
        "0/0: {elements} of {of} sums of a mask are 0",
        "divide by `mx.maximum(mask.sum(axis=-1), 1)`",
    ),
    "zero by zero": ("0/0 in {elements} of {of} elements", DENOMINATOR),
    "division by zero": ("a division by 0 in {elements} of {of} elements", DENOMINATOR),
    "log of zero": (
        "the logarithm of 0 in {elements} of {of} elements",
        "a loss of `nn.losses` on the logits, or `mx.log(mx.maximum(x, 1e-6))`",
    ),
    "log of negative": ("the logarithm of a negative number ({lowest:.3g})", "numbers above 0: `mx.maximum(x, 1e-6)`"),
    "root of zero": ("1/√0 in {elements} of {of} elements", "`mx.rsqrt(x + 1e-6)`"),
    "root of negative": ("the root of a negative number ({lowest:.3g})", "`mx.sqrt(mx.maximum(x, 1e-12))`"),
    "power": ("a power of a number that is not above 0", "a base above 0: `mx.maximum(x, 1e-6) ** p`"),
    "outside": ("`{op}` at the edge of its range or beyond", "`mx.clip(x, -1 + 1e-6, 1 - 1e-6)`"),
    "rows of -inf": (
        "a softmax over a row of nothing but -inf: all of it is masked",
        "a finite mask, `mx.finfo(x.dtype).min`, or leave one position of each row open",
    ),
    "mean of nothing": ("the mean of no elements", "leave empty batches out"),
    "overflow": (
        "`{op}` of numbers up to {largest:,.4g} overflows {dtype}{value}",
        "{wider}smaller numbers or a smaller rate",
    ),
    "gradient overflow": (
        "what comes back through `{op}` overflows {dtype}, which ends at {limit}",
        "{wider}a smaller loss scale",
    ),
    "inf minus inf": ("∞ - ∞ (`{op}`)", "finite numbers in place of infinities"),
    "zero by inf": ("an infinity among the operands of `{op}`", "finite numbers in place of infinities"),
    "root at zero": (
        "the gradient of a root at 0 is infinite, in {elements} of {of} elements",
        "`mx.sqrt(x + 1e-12)`: a maximum or a `where` around the root does not keep it out of the gradient",
    ),
    "norm at zero": ("a norm has no gradient at a vector of zeros", "`mx.sqrt(mx.sum(x * x, axis=-1) + 1e-12)`"),
    "deviation at zero": ("a standard deviation has no gradient at equal values", "`mx.sqrt(mx.var(x) + 1e-12)`"),
    "power at zero": ("the gradient of a power at 0, in {elements} of {of} elements", "`(x + 1e-12) ** p`"),
    "inverse at its edge": ("the gradient of `{op}` at the edge of its range", "`mx.clip(x, -1 + 1e-6, 1 - 1e-6)`"),
    "given": ("{array} already holds it", "look at the data where they are made: `mx.isnan(x).any()`"),
    "vanishing eps": (
        "{optimizer}'s eps of {eps:.0e} is 0 in {dtype}: its update divides 0 by 0 where gradients vanish",
        "float32 parameters for the optimizer, or `eps=1e-4`",
    ),
    "update": (
        "its loss and gradients are finite, and what is done with them afterwards gives parameters that are not{rate}",
        "look at what divides or scales the gradients, and at the rate",
    ),
    "unknown": ("`{op}` of finite operands, up to {largest:.3g}", "look at these operands before the operation"),
}
SUBJECTS: dict[type[LossNotFinite | GradientNotFinite | NotFiniteOrigin], str] = {
    LossNotFinite: "the loss",
    GradientNotFinite: "a gradient",
    NotFiniteOrigin: "what is trained",
}
LISTED = 5
SURE = 3  # evaluation passes
REPEATED = 3  # sampled steps in a row without a finite gradient: no single overflow
SYMBOLS = {"add": "+", "sub": "-", "mul": "*", "truediv": "/", "pow": "**", "matmul": "@"}
HIDDEN = "; the loss leaves it out and the gradient does not"
SAFE = "replace the operand before the operation, not the result after it: `mx.where(ok, x, 1.0)`"


@finding("MP207", "non-finite")
def non_finite(seen: Observation) -> Iterator[Finding]:
    """A loss or a gradient is NaN or infinite.

    From then on every parameter that the gradient reaches is NaN too; skipping such batches does not bring it back. The
    gradient may be so before the loss is. Where it can be, the step is taken again, operation by operation, and the
    first one whose result or gradient is not finite is named, with what it was given. Losses that training got over are
    a note. Nothing is said of gradients that overflow float16 and are in no update: the search for a loss scale does
    that. A loss scale that never fits is a warning: no gradient of a sampled step is finite, and no update is made. So
    is the loss of an evaluation that is not finite in the last pass, and any other value that is read after an
    evaluation and is not finite in all of three passes or more. In fewer it is a note: a metric may have had nothing to
    count.

    Example: `losses.sum(axis=1) / mask.sum(axis=1)` with a row that is all padding (0/0); `mx.sqrt(x * x + y * y)` at
    0, whose gradient is NaN; `mx.log(p)` with `p` of 0; a softmax over a row of -inf; more than 65,504 in float16; NaN
    in the data; `mx.log(mx.sum(mx.exp(logits), axis=-1))` with large logits.

    Use instead: `mx.maximum(mask.sum(axis=1), 1)`; `mx.sqrt(x * x + y * y + 1e-12)`; a loss of `nn.losses` on logits,
    which subtracts the maximum; a finite mask; float32 where numbers are large; stop at the first such value.
    """
    symptom = _loss(seen) or _looked_at(seen)
    if symptom is None or symptom[2] is Severity.NOTE:
        yield from _evaluation(seen)
    if symptom is None:
        return
    subject, call, severity, site = symptom
    origin = _origin(seen, call)
    if severity is Severity.NOTE and _is_loss_scale(seen, origin):
        return
    if origin is None or origin.fact.kind == "before":
        yield rule("MP207").at(subject, *site, severity=severity, step=call)
    elif origin.fact.kind == "not taken again":
        subject += f"; the step could not be taken again: {origin.fact.why}"
        yield rule("MP207").at(subject, *site, severity=severity, step=call)
    else:
        cause, instead = explained(origin.fact, call, unit(seen))
        evidence = {"step": call, "arose": origin.fact.call}
        evidence |= {"overflow": 1} if origin.fact.kind in ("overflow", "gradient overflow") else {}
        message = f"{subject}: {cause}"
        found = rule("MP207").at(message, origin.file, origin.line, severity=severity, **evidence)
        yield replace(found, instead=f"{instead}.")


def _loss(seen: Observation) -> Symptom | None:
    """Tell of the first loss that is not finite; first of those that training did not get over."""
    lasting, bad = first_lasting(seen), first_bad(seen)
    site = place(seen, FirstGradient)
    if lasting is not None:
        return f"the loss of {unit(seen)} {lasting.step} is {lasting.value}", lasting.step, Severity.ERROR, site
    if bad is None:
        return None
    return (
        f"the loss of {unit(seen)} {bad.step} is {bad.value}, and training got over it",
        bad.step,
        Severity.NOTE,
        site,
    )


def _looked_at(seen: Observation) -> Symptom | None:
    """Tell of what was seen at a step that was looked at, where no loss that is known tells."""
    told = [one for kind in SUBJECTS for one in seen.every(kind)]
    harmless = max((fact.call for fact, _ in seen.facts(GradientsRecovered)), default=0)
    lasting = [(fact, at) for fact, at in told if fact.call > harmless]
    if not told:
        return None
    fact, at = (lasting or told)[0]
    call, site = fact.call, (at.file, at.line)
    over = not lasting or any(math.isfinite(one.value) and one.step > call for one in seen.losses)
    paths = () if isinstance(fact, LossNotFinite) else fact.paths
    subject = f"{SUBJECTS[type(fact)]} of {unit(seen)} {call} is not finite {listed(paths)}".rstrip()
    bad = [fact.call for fact, _ in lasting if isinstance(fact, GradientNotFinite)]
    if over and len(bad) >= REPEATED and not any(one.gradient is not None for one in seen.steps if one.n >= bad[0]):
        subject += f", and no gradient of a later sampled step is, up to step {bad[-1]}"
        if not seen.sheet.updates:
            return f"{subject}: all updates are left out", call, Severity.WARNING, site
        return subject, call, Severity.NOTE, site
    subject += ", and training got over it" if over else ""
    return subject, call, Severity.NOTE if over else Severity.ERROR, site


def _is_loss_scale(seen: Observation, origin: Sighting[NotFiniteOrigin] | None) -> bool:
    """Tell whether gradients overflowed float16, and the program left those updates out, as for a loss scale."""
    left_out = seen.sheet.updates < seen.sheet.gradients and seen.has(GradientsRecovered)
    told = (origin.fact.kind, origin.fact.dtype, origin.fact.phase) if origin is not None else ()
    return left_out and told == ("gradient overflow", "float16", "gradient")


def _evaluation(seen: Observation) -> Iterator[Finding]:
    """Report evaluation passes that end in a value that is not finite; the loss itself weighs more than a metric."""
    for fact, at in [*seen.every(EvaluationNotFinite)][-1:]:
        message = f"{'the loss of an evaluation' if fact.loss else 'a value that is read after an evaluation'} is "
        message += f"{fact.value}, in {fact.bad} of {fact.passes} evaluation passes"
        always = fact.bad == fact.passes >= SURE
        severity = Severity.WARNING if (fact.loss and fact.last) or always else Severity.NOTE
        yield rule("MP207").at(message, at.file, at.line, severity=severity)


def _origin(seen: Observation, call: int) -> Sighting[NotFiniteOrigin] | None:
    """Return what was found last before a step showed it; else the first."""
    origins = [at for _, at in seen.every(NotFiniteOrigin)]
    return next(iter([*[one for one in origins if one.fact.call <= call][::-1], *origins]), None)


def explained(origin: NotFiniteOrigin, call: int, number: str = "step") -> tuple[str, str]:
    """Put a cause into words, and what to write instead."""
    what, instead = KINDS.get(origin.kind, KINDS["unknown"])
    words = {
        "array": origin.array or "an array that the loss uses",
        "value": _value(origin),
        "limit": HALF_ENDS.get(origin.dtype, "its largest number"),
        "op": SYMBOLS.get(origin.op) or SYMBOLS.get(origin.op[1:], origin.op),
        "rate": f" (rate {origin.rate:.3g})" if origin.rate is not None else "",
    }
    cause = what.format(**origin.as_dict() | words)
    instead = instead.replace("{wider}", "float32 for this operation, " if origin.dtype == "float16" else "")
    if origin.phase == "gradient" and "gradient" not in cause:
        cause = f"in the gradient, {cause}"
    if origin.hidden:
        cause, instead = cause + HIDDEN, SAFE
    if origin.call != call:
        cause = f"it arose in {number} {origin.call}: {cause}"
    return cause, instead


def _value(origin: NotFiniteOrigin) -> str:
    end = HALF_ENDS.get(origin.dtype, "")
    if origin.value is not None and math.isfinite(origin.value):
        return f": {origin.value:,.0f}, where it ends at {end}"
    return f", which ends at {end}" if end else ""


@finding("MP404", "saved-not-finite")
def saved_not_finite(seen: Observation) -> Iterator[Finding]:
    """A file is written whose arrays are NaN.

    The run may have printed nothing but finite losses: the last update is not seen by any of them. Whoever loads the
    file gets a model whose every output is NaN. Arrays that the program does not train, and infinities alone, such as
    a mask's, are a note; not where the model's own are finite: the type of the file cannot hold them.

    Example: `model.save_weights("last.safetensors")` after an update whose learning rate was 0/0.

    Use instead: look at what is saved, and keep the last file that was right:
    `all(mx.isfinite(p).all() for _, p in tree_flatten(model.parameters()))`.
    """
    told = first_lasting(seen) is not None or not all(
        math.isfinite(r) for o in seen.sheet.optimizers for _, r in o.rates
    )
    for fact, at in seen.facts(SavedNotFinite):
        what = "NaN" if fact.nan else "infinities"
        message = f"{fact.file or 'a file'} is written with {what} in {fact.count} of {fact.of} arrays: "
        finite = fact.finite.rpartition(".")[2]
        severity = Severity.ERROR if finite or (fact.nan and (fact.trained or told)) else Severity.NOTE
        message += listed(fact.paths) + (", …" if fact.count > LISTED else "")
        message += f"; in the model they are finite, in {finite}" if finite else ""
        yield rule("MP404").at(message, at.file, at.line, severity=severity, arrays=fact.count, of=fact.of)
