"""Batches whose rows are all equal."""

from __future__ import annotations

from collections.abc import Iterator

from mlxprobe.protocol.facts.data import ConstantLevel, RowsAlike
from mlxprobe.protocol.facts.losses import Supervision
from mlxprobe.rules.registry import finding, listed, rule
from mlxprobe.rules.rewriting import with_copied_item
from mlxprobe.schema.enums import Severity
from mlxprobe.schema.observation import Observation
from mlxprobe.schema.record import Finding


@finding(
    "MP315", "identical-rows", Severity.WARNING, explains=("MP201", "MP306", "MP317", "MP318"), rewrite=with_copied_item
)
def identical_rows(seen: Observation) -> Iterator[Finding]:
    """All rows of a batch are equal, in each of its inputs.

    Why it matters: a batch of copies teaches one example; where the targets differ nothing in the input tells them
    apart.

    Example: `buffer.append(state)` of a NumPy array that is changed in place afterwards: all entries are one array.

    Use instead: `buffer.append(state.copy())`.

    Limits: reported where the rows change from step to step, or where their targets differ.
    """
    supervised = any(fact.supervised for fact, _ in seen.every(Supervision))
    varied = any(fact.level > 0 for fact, _ in seen.every(ConstantLevel))
    for fact, at in seen.facts(RowsAlike):
        message = f"all rows of {listed(fact.names)} are equal at each of {fact.looks} sampled steps"
        if fact.moves:
            message += ", with other values each time: are they one array, changed in place?"
            yield rule("MP315").at(message, at.file, at.line)
        elif supervised and varied:
            yield rule("MP315").at(f"{message}, and their targets differ", at.file, at.line)
