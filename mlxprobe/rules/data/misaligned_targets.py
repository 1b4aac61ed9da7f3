"""Targets that belong to other rows than the inputs."""

from __future__ import annotations

from collections.abc import Iterator

from mlxprobe.protocol.facts.data import TargetsInOrder, TargetsShifted
from mlxprobe.rules.registry import finding, rule
from mlxprobe.schema.enums import Severity
from mlxprobe.schema.observation import Observation
from mlxprobe.schema.record import Finding


@finding("MP323", "misaligned-targets", Severity.WARNING, explains=("MP306", "MP319"))
def misaligned_targets(seen: Observation) -> Iterator[Finding]:
    """The targets of a batch are rows of another index than its inputs.

    Why it matters: inputs and labels do not belong together, and the labels are noise.

    Example: `x[order[i : i + 32]], y[i : i + 32]`: the inputs are permuted and the targets are not.

    Use instead: one index for both: `rows = order[i : i + 32]`, then `x[rows], y[rows]`.

    Limits: judged where inputs and targets are rows of two arrays of the same length that the program holds.
    """
    for shifted, at in seen.facts(TargetsShifted):
        message = f"{shifted.argument} holds the rows of {shifted.whole} that are {shifted.shift:+d} from those of "
        message += f"{shifted.beside}, in all {shifted.rows} sampled rows"
        yield rule("MP323").at(message, at.file, at.line)
    for ordered, place in seen.facts(TargetsInOrder):
        message = f"{ordered.beside} is shuffled but {ordered.argument} is not: it holds the rows of {ordered.whole} "
        message += "in their order; inputs and targets do not match"
        yield rule("MP323").at(message, place.file, place.line)
