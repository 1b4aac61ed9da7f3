"""Findings about what a model holds, and the mode that it is in."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from mlxprobe.diagnosis.learning import not_learning
from mlxprobe.protocol.facts.models import (
    ArrayUntrained,
    ParameterOverwritten,
    TieParted,
)
from mlxprobe.rules.registry import finding, listed, rule, seen_at
from mlxprobe.schema.enums import Severity
from mlxprobe.schema.observation import Observation
from mlxprobe.schema.record import Finding

WITHOUT = "a name without an underscore: MLX takes what such a name holds for parameters."


@finding("MP213", "array-without-parameter", Severity.WARNING)
def array_without_parameter(seen: Observation) -> Iterator[Finding]:
    """A floating-point array of a module reaches the loss, and is no parameter: it is never trained.

    MLX takes for parameters what an attribute holds by itself, or in a list or dict. A name that begins with an
    underscore, a tuple and an object of another class hide what they hold. That is how tables of positions and masks
    are kept from training, and none of those is told; only an array that looks drawn at random, as a note where it
    works on the data alone and the loss falls: random features are meant to stay, and what is in a plain object may be
    data. Tables of which rows are taken, as of an embedding, are reported if nothing but a tuple hides them. A teacher
    is hidden so too: of whole modules only those are told that are neither frozen nor loaded, and work on what others
    are trained to make, or make what these work on (a note, but in a container of a class of the program's own).

    Example: `self._prototypes = mx.random.normal((10, 64))`; `self.layers = ModuleList(...)` of a class of your own.

    Use instead: a name without an underscore, a list in place of a tuple, `nn.Module` as the base class.
    """
    stuck = any(found.severity is not Severity.NOTE for found in not_learning(seen))
    for fact, at in seen.facts(ArrayUntrained):
        one = len(fact.paths) == 1
        are = "reaches the loss and is no parameter: it is" if one else "reach the loss and are no parameters: they are"
        message = f"{listed(fact.paths)} {are} never trained{seen_at(fact)}"
        severity = Severity.WARNING if fact.joins or stuck else Severity.NOTE
        if fact.paths:
            found = rule("MP213").at(message, at.file, at.line, severity=severity)
            hidden = any(part.startswith("_") for path in fact.paths for part in path.split("."))
            yield replace(found, instead=WITHOUT) if hidden else found


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
