"""The sheet of facts that a `watch` report ends with: pure, and without judgement."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator

from mlxprobe.schema.enums import Outcome
from mlxprobe.schema.losses import path, trainings
from mlxprobe.schema.metrics import counted, megabytes, usual_s
from mlxprobe.schema.record import ProgramRecord
from mlxprobe.schema.run_summary import Model, Optimizer, Sheet

MOST = 4  # shapes, functions and files that are named
SETTINGS = ("momentum",)  # of an optimizer, that are named
BETWEEN, MUCH = "between steps", 0.2  # of the time: its place is told
NOT_COMPARED = {"time", "memory", "loss"}  # these are never twice the same

Lines = list[tuple[str, str]]


def lines(one: ProgramRecord) -> Lines:
    """Return what is known of a run, each fact under its label; nothing where no training was seen."""
    sheet = one.sheet
    if sheet == Sheet():
        return []
    told = [
        *(_model(sheet.model) if sheet.model else ()),
        ("optimizer", _optimizers(sheet)),
        ("clipping", f"by norm, to {sheet.clip_norm:.3g}" if sheet.clip_norm else ""),
        ("updates", _at_least(one) + _updates(sheet)),
        ("arguments", _shapes(sheet) + again(sheet)),
        ("positions", _positions(sheet)),
        ("loss", _loss(one)),
        ("compiled", _compiled(sheet)),
        ("time", _time(one)),
        ("memory", _memory(one)),
        ("files", _files(sheet)),
    ]
    return [(label, text) for label, text in told if text]


def changed(now: Lines, before: Lines) -> Lines:
    """Return what another sheet said otherwise, or not at all; what no two runs have in common is left out."""
    then, mine = dict(before), dict(now)
    labels = [label for label in dict.fromkeys([*mine, *then]) if label not in NOT_COMPARED]
    return [(label, then.get(label, "–")) for label in labels if mine.get(label) != then.get(label)]


def _model(model: Model) -> Iterator[tuple[str, str]]:
    more = f"; and {counted(model.others, 'other model')}, not described" if model.others else ""
    now = _share(model.trainable, model.parameters, " parameters")
    first = "".join(f"first {_share(*counts)}, then " for counts in model.before)
    yield "trained", f"{first}{now}{more}"
    with_some = [f"{name} {kind.trainable:,}" for name, kind in model.kinds.items() if kind.trainable]
    without = [name for name, kind in model.kinds.items() if not kind.trainable]
    parts = [f"in {_some(with_some)}"] * bool(with_some) + [f"none in {_some(without)}"] * bool(without)
    yield "", "; ".join(parts)
    yield "adapters", _some(f"{number} × {name}" for name, number in model.adapters.items())
    kinds = {
        "updated weights": tuple(model.weights),
        "activations": model.activations,
        "gradients": model.gradients,
        "state": model.state,
    }
    types = [f"{what} {' and '.join(names)}" for what, names in kinds.items() if names]
    yield "types", ", ".join([*types, *([f"logits {model.logits}"] if model.logits else [])])


def _share(trainable: int, parameters: int, word: str = "") -> str:
    share = f"{100 * trainable / parameters:.3g} %" if parameters else "none"
    return f"{trainable:,} of {parameters:,}{word} ({share})"


def _optimizers(sheet: Sheet) -> str:
    """Write each optimizer once, with the number of those that are alike where all are known."""
    alike = Counter(map(_optimizer, sheet.optimizers))
    left = sheet.optimizers_seen - len(sheet.optimizers)
    if left > 0 and len(alike) == 1 and sheet.optimizers_alike:
        return f"{sheet.optimizers_seen} × {next(iter(alike))}"
    if left > 0:
        return f"{sheet.optimizers_seen} in all, among them {'; '.join(alike)}"
    return "; ".join(f"{number} × {text}" if number > 1 else text for text, number in alike.items())


def _optimizer(one: Optimizer) -> str:
    decay = f", weight decay {one.weight_decay:g} on all that it updates" if one.weight_decay else ""
    rates = [rate for _, rate in one.rates]
    path = [f"{rates[0]:.3g}"] if rates else []
    if len(set(rates)) > 1:
        high = max(rates)
        between = high not in (rates[0], rates[-1])
        path += [f"up to {high:.3g} at sampled updates" if between else "…", f"{rates[-1]:.3g}"]
    schedule = f", {one.schedule}" if one.schedule else ""
    kept = "".join(f", {name} {one.settings[name]}" for name in SETTINGS if float(one.settings.get(name, 0)))
    return f"{one.name}, rate {' → '.join(path) or 'unknown'}{schedule}{_warm(one)}{kept}{decay}"


def _warm(one: Optimizer) -> str:
    if not one.warmup or not one.rates:
        return ""
    done = one.rates[-1][0] >= one.warmup
    return f" (warm-up of {one.warmup:,} {'done' if done else 'not done'})"


def _at_least(one: ProgramRecord) -> str:
    """Say that the update of the step that hangs is not counted, nor what came right before a crash or a signal."""
    return "at least " if (one.outcome is Outcome.HANG or one.is_cut_off) and one.sheet.updates else ""


def _updates(sheet: Sheet) -> str:
    if not sheet.updates:
        seen = "seen but not counted" if sheet.uncounted else "none seen" if sheet.unfollowed else "none"
        return f"{seen}, {sheet.gradients:,} gradient calls" if sheet.gradients else ""
    whole = not (sheet.uncounted or sheet.unfollowed or 0 < sheet.by_hand < sheet.updates)
    of = _gradient_calls(sheet) if whole else ""
    of += "; others seen but not counted" * sheet.uncounted
    of += f"; {sheet.unfollowed:,} gradient calls of other arrays could not be followed" * bool(sheet.unfollowed)
    by_hand = f", {sheet.by_hand:,} of them by hand" if sheet.by_hand < sheet.updates else " by hand"
    return f"{sheet.updates:,}{by_hand if sheet.by_hand else ''}{of}"


def _gradient_calls(sheet: Sheet) -> str:
    """State the number of gradient calls where every update has the same, and more than one."""
    least, most = sheet.calls_each
    even = least == most > 1 and sheet.gradients == most * sheet.updates
    return f", {most:,} gradient calls per update" if even else ""


def _shapes(sheet: Sheet) -> str:
    """List the first shapes of the arguments of gradient calls and compiled steps, and the number of others."""
    return _some(sheet.batches, sheet.shapes) + " at sampled steps" * bool(sheet.batches)


def again(sheet: Sheet) -> str:
    """State how many of the compared batches were repeats, in all of their arrays."""
    if sheet.different == sheet.compared:
        return ""
    if sheet.different == 1:
        return f" (all arrays are identical at all {sheet.compared} sampled steps)"
    return f"; of {sheet.compared} batches that were compared, {sheet.different} are distinct"


def _positions(sheet: Sheet) -> str:
    if not sheet.mean_loss or sheet.carrying == sheet.positions:
        return ""
    return f"{100 * sheet.carrying / sheet.positions:.3g} % of {sheet.positions:,} sampled positions carry loss"


def _loss(one: ProgramRecord) -> str:
    text = path(one.losses, one.sheet.begun, one.sheet.gradients, one.sheet.names)
    classes = one.sheet.model.classes if one.sheet.model and one.sheet.mean_loss else 0
    if not text or classes < 2 or len(trainings(one.losses, one.sheet.begun)) > 1:
        return text  # another training may choose among others
    return f"{text}; of a mean over positions, chance is ln {classes:,} = {math.log(classes):.4g}"


def _compiled(sheet: Sheet) -> str:
    calls = [f"{name}: {counted(made[0], 'trace')}, {made[1]:,} calls" for name, made in _calls(sheet)]
    return _some(calls) + _as_of(sheet) if calls else ""


def _as_of(sheet: Sheet) -> str:
    return f" up to update {sheet.as_of:,}" if sheet.as_of else ""


def _calls(sheet: Sheet) -> list[tuple[str, tuple[int, int]]]:
    called = [item for item in sheet.traces.items() if item[1][1]]
    return sorted(called, key=lambda item: -item[1][1])


def _time(one: ProgramRecord) -> str:
    phases = one.sheet.phases
    whole = sum(phase.seconds for phase in phases.values())
    if not whole:
        return ""
    shares = sorted(phases.items(), key=lambda item: -item[1].seconds)
    at = {BETWEEN: f" (most of it at {one.sheet.line_between})" if one.sheet.line_between else ""}
    told = [(name, phase.seconds / whole) for name, phase in shares if phase.seconds >= 0.005 * whole]
    parts = ", ".join(f"{name} {share:.0%}{at.get(name, '') if share >= MUCH else ''}" for name, share in told)
    span = _as_of(one.sheet) or " from the first gradient call to the last evaluation"
    return f"{_seconds(whole)}{span}: {parts}{_steps(one)}"


def _steps(one: ProgramRecord) -> str:
    """State the first step, which also builds and compiles, the median, and the slowest after the first."""
    if not one.step_s:
        return ""
    usual = f"median step {_seconds(usual_s(one.step_s))}"
    first = f"first {_seconds(one.step_s[0])}"
    slowest = f", slowest after it {_seconds(one.worst_step_s)} (step {one.worst_step})" if one.worst_step else ""
    return f"; {usual}, {first}{slowest}; a step ends where the next begins"


def _seconds(seconds: float) -> str:
    return f"{seconds:,.3g} s" if seconds >= 1 else f"{1e3 * seconds:.3g} ms"


def _memory(one: ProgramRecord) -> str:
    peak = max([one.sheet.peak_bytes, *(sample.peak_bytes for sample in one.memory)])
    whole = max((sample.rss_bytes for sample in one.samples), default=0)
    process = f"; the process up to {megabytes(whole)} with mlxprobe" if whole else ""
    return f"peak {megabytes(peak)}, reached in: {one.sheet.peak_in}{process}" if one.sheet.peak_in else ""


def _files(sheet: Sheet) -> str:
    told = {"read": (sheet.read, "read"), "wrote": (sheet.written, "written")}
    every = ((what, _some(files, sheet.files.get(name, 0))) for what, (files, name) in told.items() if files)
    return "; ".join(f"{what} {text}" for what, text in every)


def _some(texts: Iterable[str], of: int = 0) -> str:
    """Join the first few, and state how many more there are, of `of` in all where not all were sent."""
    listed = list(texts)
    more = max(of, len(listed)) - MOST
    return ", ".join(listed[:MOST]) + (f" and {more:,} more" if more > 0 else "")
