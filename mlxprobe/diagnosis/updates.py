"""Findings about what an update is made of."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from mlxprobe.protocol.facts.adapters import AdaptersFrozen
from mlxprobe.protocol.facts.models import OneLayer, UnitsAlike
from mlxprobe.protocol.facts.updates import (
    AppliedAgain,
    FrozenChanged,
    FrozenUpdated,
    GradientsAccumulated,
    GradientsDropped,
    GradientsOfAnother,
    NotCleared,
    NothingTrainable,
    WeightsDecayed,
)
from mlxprobe.rules.registry import finding, listed, rule, seen_at
from mlxprobe.schema.enums import Severity
from mlxprobe.schema.losses import fall
from mlxprobe.schema.metrics import counted
from mlxprobe.schema.observation import Observation, Sighting
from mlxprobe.schema.record import Finding

SCALE_FREE = {"Adam", "AdamW", "Adamax", "Lion", "Adafactor", "RMSprop", "Adagrad", "AdaDelta", "Muon"}
SUM = 0.02
DECAYS = 0.05  # of a weight, at each update
BETTER = 0.5  # of the first losses


@finding("MP202", "frozen-updated", needs="updates")
def frozen_updated(seen: Observation) -> Iterator[Finding]:
    """A frozen parameter receives gradients, and the optimizer changes it.

    `mx.value_and_grad` over a module or its `parameters()` knows nothing of `freeze()`; the optimizer updates
    whatever it is given.

    Example: `mx.value_and_grad(loss_fn)(model, x, y)` with a frozen backbone.

    Use instead: `nn.value_and_grad(model, loss_fn)`, which takes gradients of the trainable parameters alone.
    """
    for fact, at in seen.facts(FrozenUpdated):
        message = f"the optimizer updates {counted(fact.count, 'frozen parameter')}: {listed(fact.paths)}"
        yield rule("MP202").at(message, at.file, at.line, parameters=fact.count)
        return
    for fact, at in seen.facts(FrozenChanged):
        message = f"frozen parameters change from step to step: {listed(fact.paths)}"
        yield rule("MP202").at(message, at.file, at.line, severity=Severity.NOTE)


@finding("MP203", "unaveraged-accumulation", Severity.WARNING, needs="gradients")
def unaveraged_accumulation(seen: Observation) -> Iterator[Finding]:
    """The update is the sum of several micro-batches' gradients, not their mean.

    With k micro-batches every step is k times as long as that of the batch they stand for. Adam and its kin
    divide by the gradient's own size and do not care; SGD does, and so does clipping. Where the sum is not cleared
    after an update, each is the sum over the whole run so far, and no optimizer mends that. The same comes of
    gradients that the optimizer is given twice: its momentum counts them twice too.

    Example: `grads = tree_map(mx.add, grads, more)` for 8 micro-batches, then `optimizer.update(model, grads)`.

    Use instead: divide each loss, or the summed gradients, by the number of micro-batches; one update for
    each gradient.
    """
    for fact, at in seen.facts(NotCleared):
        message = "each update is given the gradients of all before it again: what accumulates them is never cleared"
        found = rule("MP203").at(message + seen_at(fact), at.file, at.line)
        yield replace(found, instead="an accumulator that starts again at zeros or None after each update.")
        return
    for fact, at in seen.facts(AppliedAgain):
        given = "another one has" if fact.others else "it has"
        message = f"the optimizer is given gradients that {given} been given before"
        message += f", at {fact.before}" if fact.before else ", by this line"
        yield rule("MP203").at(f"{message}: each step is taken twice", at.file, at.line)
        return
    summed = [(fact, at) for fact, at in seen.every(GradientsAccumulated) if abs(fact.share - 1) <= SUM]
    places = {(at.file, at.line): (fact, at) for fact, at in summed if fact.scalings == 1}  # another model may average
    for fact, at in places.values():
        severity = Severity.NOTE if fact.optimizer in SCALE_FREE else Severity.WARNING
        message = f"the update is the sum of {fact.calls} gradient calls, each of a loss that is a mean{seen_at(fact)}"
        yield rule("MP203").at(message, at.file, at.line, severity=severity, gradients=fact.calls)


@finding("MP204", "dropped-gradients", Severity.WARNING)
def dropped_gradients(seen: Observation) -> Iterator[Finding]:
    """Gradients are computed and never applied.

    A window of micro-batches that the data does not fill is left over at the end of an epoch. At the end of the run it
    is less than one update, and a note, unless an exception ends the run. Or each update takes the last of its
    micro-batches alone. Where the program updates by hand that is read off how its parameters move. Or a model is
    updated with the gradients of another model, and its own are never computed.

    Example: `if (i + 1) % 4 == 0: optimizer.update(...)` over 10 micro-batches; `optimizer_b.update(b, gradients_a)`.

    Use instead: apply the remainder after the loop, divided by its own number of micro-batches; give each model's
    optimizer the gradients of that model.
    """
    for fact, at in seen.facts(GradientsOfAnother):
        whose = f"another {fact.model}" if fact.model == fact.other else f"the {fact.other}"
        message = f"the {fact.model} is updated with the gradients of {whose}: its own gradients are never computed"
        yield rule("MP204").at(message, at.file, at.line)
    told = [*seen.every(GradientsDropped)]
    told.sort(key=lambda pair: not pair[0].at_end)  # what is left over again and again says more
    for fact, at in {(at.file, at.line): (fact, at) for fact, at in told}.values():
        if not fact.at_end:
            yield _dropped(seen, fact, at)
        elif seen.raised is None:  # what an exception leaves undone was not forgotten
            message = f"{counted(fact.calls, 'gradient call')} {_were(fact.calls)} never applied when the run ends"
            message += f", of {seen.sheet.gradients:,}" if seen.sheet.gradients else ""
            note = Severity.NOTE
            yield rule("MP204").at(message, at.file, at.line, severity=note, gradients=fact.calls)


def _dropped(seen: Observation, fact: GradientsDropped, at: Sighting[GradientsDropped]) -> Finding:
    """Report updates that leave out gradient calls, counted over the whole run where all of its steps are known."""
    calls, of = fact.calls, fact.of
    per_update, left = _calls_of_updates(seen)
    lost, every = sum(max(0, one - of + calls) for one in per_update) + left, sum(per_update) + left
    if lost >= calls:
        share = lost / every
        message = f"{lost:,} of {every:,} gradient calls are in no update: each takes the last {of - calls:,} before it"
    else:
        share = calls / of if at.count > 1 else 0.0
        message = f"{calls} of the {of} gradient calls before an update {_were(calls)} not in it, at "
        message += f"{counted(at.count, 'sampled step')} or more"
    return rule("MP204").at(message, at.file, at.line, gradients=calls, dropped=share)


def _calls_of_updates(seen: Observation) -> tuple[list[int], int]:
    """List the gradient calls that each update came after, and what is left at the end; nothing where some are thinned.

    Up to the first update each call is a step of its own.
    """
    first = max((k for k, step in enumerate(seen.steps) if step.n == 1), default=0)
    before, steps = sum(step.gradients for step in seen.steps[:first]), seen.steps[first:]
    made = [step.gradients + (before if k == 0 else 0) for k, step in enumerate(steps)]
    updates = len({step.n for step in steps})
    return (made[:updates], sum(made[updates:])) if updates == seen.sheet.updates else ([], 0)


def _were(number: int) -> str:
    return "was" if number == 1 else "were"


@finding("MP206", "nothing-trainable")
def nothing_trainable(seen: Observation) -> Iterator[Finding]:
    """The model has no trainable parameter, or its adapters have none.

    `freeze()` reaches every module below; a training loop then runs and changes nothing. Adapters that are there when
    it is called are frozen too: with a factor of zeros they add nothing, whatever else is trained beside them.

    Example: `model.freeze()` without an `unfreeze` of what is to be trained, or after the adapters were put in.

    Use instead: `model.head.unfreeze()`, or add the adapters after `freeze()`.
    """
    for fact, at in seen.facts(NothingTrainable):
        idle = f"; `unfreeze` at {fact.idle} opened nothing" if fact.idle else ""
        message = f"the model has no trainable parameter: nothing can be learned{idle}{seen_at(fact)}"
        yield rule("MP206").at(message, at.file, at.line)
    for fact, at in seen.facts(AdaptersFrozen):
        message = (
            f"all {fact.count} adapters are frozen, and their products are zero: {listed(fact.paths)}, …; "
            f"{fact.trained} other arrays are trained{seen_at(fact)}"
        )
        yield rule("MP206").at(message, at.file, at.line, severity=Severity.WARNING)


@finding("MP217", "equal-units", Severity.WARNING)
def equal_units(seen: Observation) -> Iterator[Finding]:
    """The units of a layer are all alike, and learn all the same.

    Units that begin with the same weights, and whose outputs are weighted alike, get the same gradient at every step:
    however wide the layer is, it computes one number. Nothing but chance breaks that: weights that are drawn at random,
    or dropout. Told where all rows of a matrix differ by less than a thousandth of what they have learned, at four
    looks. So are the layers of a list that holds one and the same layer at all its places: they have one set of
    weights. That is a note, for it may be meant; a warning where one input is given to all of them.

    Example: `model.apply(nn.init.constant(0.1))`; weights that are filled with `mx.full` or `mx.ones`;
    `self.layers = [nn.Linear(8, 8)] * 4`.

    Use instead: weights that are drawn at random, as layers have them: `nn.init.he_normal()`; zeros for the biases
    alone, or for the last layer; `[nn.Linear(8, 8) for _ in range(4)]`, and one layer called four times where its
    weights are to be shared.
    """
    for fact, at in seen.facts(OneLayer):
        message = f"the {fact.places} places of {fact.path} hold one and the same {fact.kind}: they share its weights"
        message += f", and return the same {fact.same} times, for one input" if fact.same else ""
        severity = Severity.WARNING if fact.same else Severity.NOTE
        yield rule("MP217").at(message + seen_at(fact), at.file, at.line, severity=severity)
    for fact, at in seen.facts(UnitsAlike):
        message = (
            f"the {fact.units} rows of {fact.path} learn, and are alike at each of {fact.looks} looks: the layer "
            f"computes one number{seen_at(fact)}"
        )
        yield rule("MP217").at(message, at.file, at.line, units=fact.units, looks=fact.looks)


@finding("MP216", "shrinking-weights", Severity.WARNING)
def shrinking_weights(seen: Observation) -> Iterator[Finding]:
    """The weights shrink to nothing: each update takes a good part of them away.

    Weight decay takes the rate times the decay of each weight at every update. At a twentieth half of a weight is gone
    after fourteen updates, whatever the gradients say, and the outputs come to those of a model that knows nothing.
    Told where rate and decay say so, or where all of the largest matrices have less than a tenth of their size left and
    the loss has not become better: the best weights may be small ones.

    Example: `optim.AdamW(learning_rate=3e-3, weight_decay=100)`.

    Use instead: a decay of 0.01 to 0.1, for the rates that are usual.
    """
    for one in seen.sheet.optimizers:
        rates = sorted(rate for _, rate in one.rates)
        share = one.weight_decay * rates[len(rates) // 2] if rates else 0.0
        if share >= DECAYS:
            message = f"each update takes {min(1.0, share):.0%} of every weight away: a decay of {one.weight_decay:g}"
            message += f" at a rate of {rates[len(rates) // 2]:.3g}"
            yield rule("MP216").at(message, one.file, one.line, share=share)
            return
    path = fall(seen)
    for fact, at in seen.facts(WeightsDecayed):
        if fact.gone and path is not None and path[1] > BETTER * path[0] > 0:
            message = f"the largest matrices have {fact.share:.2g} of their first size left"
            yield rule("MP216").at(message, at.file, at.line, left=fact.share)
