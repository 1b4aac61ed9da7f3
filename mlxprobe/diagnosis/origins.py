"""Where a value that is not finite comes from, in words."""

from __future__ import annotations

import math
from collections.abc import Iterator

from mlxprobe.diagnosis.registry import facts, finding, listed, place, rule
from mlxprobe.values.losses import first_bad, first_lasting
from mlxprobe.values.observation import Fact, Observation
from mlxprobe.values.record import Finding
from mlxprobe.values.vocabulary import Severity

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
        "float32 for this operation, smaller numbers or a smaller rate",
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
LISTED = 5
SURE = 3  # evaluation passes
REPEATED = 3  # sampled steps in a row without a finite gradient: no single overflow
SYMBOLS = {"add": "+", "sub": "-", "mul": "*", "truediv": "/", "pow": "**", "matmul": "@"}
UNSAID = ("nan", "inf", "-inf")  # JSON has no words for them
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
    kind = origin.detail["kind"] if origin is not None else "before"
    if severity is Severity.NOTE and _is_loss_scale(seen, origin):
        return
    if origin is None or kind == "before":
        yield rule("MP207").at(subject, *site, severity=severity, step=call)
    elif kind == "not taken again":
        subject += f"; the step could not be taken again: {origin.detail['why']}"
        yield rule("MP207").at(subject, *site, severity=severity, step=call)
    else:
        message, found = f"{subject}: {explained(origin, call)}", {"step": call, "arose": _call(origin)}
        found |= {"overflow": 1.0} if kind == "overflow" else {}
        yield rule("MP207").at(message, origin.file, origin.line, severity=severity, **found)


def _loss(seen: Observation) -> Symptom | None:
    """Tell of the first loss that is not finite; first of those that training did not get over."""
    lasting, bad = first_lasting(seen), first_bad(seen)
    site = place(seen, "first gradient")
    if lasting is not None:
        return f"the loss of step {lasting.step} is {lasting.value}", lasting.step, Severity.ERROR, site
    if bad is None:
        return None
    return f"the loss of step {bad.step} is {bad.value}, and training got over it", bad.step, Severity.NOTE, site


def _looked_at(seen: Observation) -> Symptom | None:
    """Tell of what was seen at a step that was looked at, where no loss that is known tells."""
    names = {"loss not finite": "the loss", "gradient not finite": "a gradient", "origin": "what is trained"}
    told = [fact for name in names for fact in seen.facts if fact.name == name]
    harmless = max((_call(fact) for fact in facts(seen, "gradients got over")), default=0.0)
    lasting = [fact for fact in told if _call(fact) > harmless]
    fact = next(iter(lasting or told), None)
    if fact is None:
        return None
    call, site = int(_call(fact)), (fact.file, fact.line)
    over = not lasting or any(math.isfinite(one.value) and one.step > call for one in seen.losses)
    subject = f"{names[fact.name]} of step {call} is not finite {listed(fact.detail.get('paths', []))}".rstrip()
    bad = [_call(one) for one in lasting if one.name == "gradient not finite"]
    if over and len(bad) >= REPEATED and not any(one.gradient is not None for one in seen.steps if one.n >= bad[0]):
        subject += f", and no gradient of a later sampled step is, up to step {bad[-1]:.0f}"
        if not seen.sheet.updates:
            return f"{subject}: all updates are left out", call, Severity.WARNING, site
        return subject, call, Severity.NOTE, site
    subject += ", and training got over it" if over else ""
    return subject, call, Severity.NOTE if over else Severity.ERROR, site


def _is_loss_scale(seen: Observation, origin: Fact | None) -> bool:
    """Tell whether gradients overflowed float16, and the program left those updates out, as for a loss scale."""
    told = origin.detail if origin is not None else {}
    left_out = seen.sheet.updates < seen.sheet.gradients and any(facts(seen, "gradients got over"))
    return left_out and (told.get("kind"), told.get("dtype"), told.get("phase")) == ("overflow", "float16", "gradient")


def _evaluation(seen: Observation) -> Iterator[Finding]:
    """Report evaluation passes that end in a value that is not finite; the loss itself weighs more than a metric."""
    told = [one for one in seen.facts if one.name == "evaluation not finite"][-1:]
    for fact in told:
        loss, last = bool(fact.detail["loss"]), bool(fact.detail["last"])
        message = f"{'the loss of an evaluation' if loss else 'a value that is read after an evaluation'} is "
        message += f"{fact.detail['value']}, in {fact.detail['bad']} of {fact.detail['passes']} evaluation passes"
        always = fact.detail["bad"] == fact.detail["passes"] and int(str(fact.detail["passes"])) >= SURE
        severity = Severity.WARNING if (loss and last) or always else Severity.NOTE
        yield rule("MP207").at(message, fact.file, fact.line, severity=severity)


def _origin(seen: Observation, call: int) -> Fact | None:
    """Return what was found last before a step showed it; else the first."""
    origins = [one for one in seen.facts if one.name == "origin"]
    return next(iter([*[one for one in origins if _call(one) <= call][::-1], *origins]), None)


def _call(fact: Fact) -> float:
    return float(str(fact.detail.get("call", fact.step)))


def explained(origin: Fact, call: int) -> str:
    """Put a cause and what serves instead into words."""
    detail: dict[str, object] = {key: float(one) if one in UNSAID else one for key, one in origin.detail.items()}
    what, instead = KINDS.get(str(detail["kind"]), KINDS["unknown"])
    detail["array"] = detail.get("array") or "an array that the loss uses"
    detail["value"] = _value(detail)
    op = str(detail.get("op"))
    detail["op"] = SYMBOLS.get(op) or SYMBOLS.get(op[1:], op)
    detail["rate"] = f" (rate {detail['rate']:.3g})" if "rate" in detail else ""
    told = what.format_map(_Known(detail))
    if detail.get("phase") == "gradient" and "gradient" not in told:
        told = f"in the gradient, {told}"
    if detail.get("hidden"):
        told, instead = told + HIDDEN, SAFE
    if int(_call(origin)) != call:
        told = f"it arose in step {int(_call(origin))}: {told}"
    return f"{told}. Use instead: {instead}"


def _value(detail: dict[str, object]) -> str:
    value, end = detail.get("value"), HALF_ENDS.get(str(detail.get("dtype")), "")
    if isinstance(value, (int, float)) and math.isfinite(value):
        return f": {value:,.0f}, where it ends at {end}"
    return f", which ends at {end}" if end else ""


class _Known(dict[str, object]):
    def __missing__(self, key: str) -> object:
        return math.nan


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
    for fact in facts(seen, "saved not finite"):
        count, nan, of = (int(float(str(fact.detail[name]))) for name in ("count", "nan", "of"))
        what = "NaN" if nan else "infinities"
        message = f"{fact.detail['file'] or 'a file'} is written with {what} in {count} of {of} arrays: "
        finite = str(fact.detail.get("finite", "")).rpartition(".")[2]
        grave = bool(finite) or (bool(nan) and (bool(fact.detail["trained"]) or told))
        severity = Severity.ERROR if grave else Severity.NOTE
        message += listed(fact.detail["paths"]) + (", …" if count > LISTED else "")
        message += f"; in the model they are finite, in {finite}" if finite else ""
        yield rule("MP404").at(message, fact.file, fact.line, severity=severity, arrays=count, of=of)
