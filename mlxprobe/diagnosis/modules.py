"""Findings about what a model holds, and the mode that it is in."""

from __future__ import annotations

from collections.abc import Iterator

from mlxprobe.protocol.facts.models import (
    ArrayUntrained,
    DroppedOut,
    EvaluationMode,
    FrozenStatisticsMoved,
    LastBatch,
    ModesDiffer,
    ParameterOverwritten,
    StatisticsUpdatedFrozen,
    TieParted,
    TrainingMode,
)
from mlxprobe.rules.registry import finding, listed, rule, seen_at
from mlxprobe.schema.enums import Severity
from mlxprobe.schema.observation import Observation
from mlxprobe.schema.record import Finding

HARDLY = 0.15 + 1e-6  # of the elements, kept by dropout


@finding("MP213", "array-without-parameter", Severity.WARNING)
def array_without_parameter(seen: Observation) -> Iterator[Finding]:
    """A floating-point array of a module reaches the loss, and is no parameter: it is never trained.

    MLX takes for parameters what an attribute holds by itself, or in a list or dict. A name that begins with an
    underscore, a tuple and an object of another class hide what they hold. That is how tables of positions and masks
    are kept from training, and none of those is told; only an array that looks drawn at random, as a note where it
    works on the data alone: random features are meant to stay, and what lies in a plain object may be data. Tables of
    which rows are taken, as of an embedding, are told all the same where nothing but a tuple hides them. A teacher
    is hidden so too: of whole modules only those are told that are neither frozen nor loaded, and work on what others
    are trained to make, or make what these work on (a note, but in a container of a class of the program's own).

    Example: `self._prototypes = mx.random.normal((10, 64))`; `self.layers = ModuleList(...)` of a class of your own.

    Use instead: a name without an underscore, a list in place of a tuple, `nn.Module` as the base class.
    """
    for fact, at in seen.facts(ArrayUntrained):
        one = len(fact.paths) == 1
        are = "reaches the loss and is no parameter: it is" if one else "reach the loss and are no parameters: they are"
        message = f"{listed(fact.paths)} {are} never trained{seen_at(fact)}"
        severity = Severity.WARNING if fact.joins else Severity.NOTE
        if fact.paths:
            yield rule("MP213").at(message, at.file, at.line, severity=severity)


@finding("MP214", "parameter-overwritten", Severity.WARNING)
def parameter_overwritten(seen: Observation) -> Iterator[Finding]:
    """The loss function writes into a parameter.

    The gradient is taken with regard to what the parameter was, and the update is made to what it has become: training
    and the write pull at the same array.

    Example: `self.weight[0] = 0` in a module's `__call__`.

    Use instead: a new array, `weight = mx.where(mask, self.weight, 0)`; what is no parameter behind an underscore.
    """
    for fact, at in seen.facts(ParameterOverwritten):
        message = f"the loss function writes into {listed(fact.paths)}{seen_at(fact)}"
        yield rule("MP214").at(message, at.file, at.line)


@finding("MP218", "parted-tie", Severity.WARNING)
def parted_tie(seen: Observation) -> Iterator[Finding]:
    """Weights that are to be one are two after the first update.

    In MLX an attribute holds an array, and arrays do not change: each of two attributes that hold the same one gets its
    own gradient, and an array of its own from the first update on. It is a note where both layers are of one class:
    they may only begin alike.

    Example: `self.head.weight = self.embed.weight`.

    Use instead: one layer for both, `self.embed.as_linear(hidden)` for an `nn.Embedding`.
    """
    for fact, at in seen.facts(TieParted):
        message = f"{fact.one} and {fact.other} were one array before the first update, and are two"
        severity = Severity.NOTE if len(set(fact.kinds)) == 1 else Severity.WARNING
        yield rule("MP218").at(message, at.file, at.line, severity=severity)


@finding("MP215", "mode", Severity.WARNING)
def mode(seen: Observation) -> Iterator[Finding]:
    """Dropout or batch normalisation runs in evaluation mode while training, or in training mode while evaluating.

    After `model.eval()` dropout does nothing, and batch statistics stand still, until `model.train()` is called; in
    training mode a validation loss is noisy, and batch statistics learn from the validation data. A compiled step keeps
    the mode that it was traced in. A mean over several draws of dropout is meant, and not reported. Dropout is judged
    where a validation loss is computed: a pass that computes outputs alone, such as an accuracy, is not. Freezing stops
    no statistics: batch normalisation whose weights are frozen still gathers them in training mode, and computes with
    those of each batch. That is a note; a warning where they come to lie more than a standard deviation from where they
    were when it was frozen, and the weights stay. Where, after more than a hundred steps, a model's mean outputs for
    the same rows lie three standard deviations apart in the two modes, one of them is wrong: dropout by hand that does
    not divide by what it keeps, statistics that are not those of the data. `nn.Dropout` takes the share that it drops:
    where it keeps a quarter or less that is a note, and a warning at 0.15. The momentum of `nn.BatchNorm` is the share
    of the new batch; other frameworks call that of the old statistics so.

    Example: `model.eval()` before the first validation, and no `model.train()` after it; `nn.BatchNorm(64,
    momentum=0.99)`.

    Use instead: `model.train()` before each epoch's steps, `model.eval()` before each validation; after each
    `model.train()` `model.backbone.eval()`, where that is frozen.
    """
    for fact, at in seen.facts(EvaluationMode):
        message = f"{fact.kind} ({listed(fact.paths)}) is in evaluation mode while training"
        message += f", since here{seen_at(fact)}" if fact.seen else ""
        yield rule("MP215").at(message, at.file, at.line)
    for fact, at in seen.facts(DroppedOut):
        message = f"dropout ({listed(fact.paths)}) sets {1 - fact.kept:.0%} of what it is given to zero: is the "
        message += f"share meant that is kept?{seen_at(fact)}"
        severity = Severity.WARNING if fact.kept <= HARDLY else Severity.NOTE
        yield rule("MP215").at(message, at.file, at.line, severity=severity, kept=fact.kept)
    for fact, at in seen.facts(LastBatch):
        share = fact.momentum
        message = f"momentum is the share that the running statistics of {fact.path} take from each batch: "
        message += f"at {share:g} they are little more than those of the last one. Is {1 - share:.3g} meant?"
        yield rule("MP215").at(message, at.file, at.line, share=share)
    for fact, at in seen.facts(TrainingMode):
        message = f"{fact.kind} is in training mode where the model is evaluated, outside of any gradient"
        yield rule("MP215").at(message, at.file, at.line)
    for fact, at in seen.facts(ModesDiffer):
        if fact.looks:
            message = f"in evaluation mode {fact.model} returns something else: for the same rows, its mean outputs "
            message += f"lie {fact.apart:.1f} standard deviations from those in training mode"
            yield rule("MP215").at(message, at.file, at.line, apart=fact.apart)
    yield from _frozen_statistics(seen)


def _frozen_statistics(seen: Observation) -> Iterator[Finding]:
    """Report batch normalisation that is frozen and goes on gathering statistics."""
    for fact, at in () if seen.has(FrozenStatisticsMoved) else seen.facts(StatisticsUpdatedFrozen):
        message = (
            f"frozen batch normalisation goes on in training mode: its statistics follow the new data{seen_at(fact)}"
        )
        yield rule("MP215").at(message, at.file, at.line, severity=Severity.NOTE)
    for fact, at in seen.facts(FrozenStatisticsMoved):
        message = f"{fact.path} is frozen, and its running statistics go on: {fact.moved:.1f} standard deviations"
        message += f" away by now, for it is in training mode{seen_at(fact)}"
        yield rule("MP215").at(message, at.file, at.line, moved=fact.moved)
