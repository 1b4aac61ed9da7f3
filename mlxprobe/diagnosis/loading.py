"""Findings about weights and checkpoints."""

from __future__ import annotations

from collections.abc import Iterator

from mlxprobe.diagnosis.registry import facts, finding, listed, rule
from mlxprobe.values.observation import Observation
from mlxprobe.values.record import Finding
from mlxprobe.values.vocabulary import Severity


@finding("MP401", "weights-not-loaded")
def weights_not_loaded(seen: Observation) -> Iterator[Finding]:
    """Loaded keys or shapes do not match the model.

    `load_weights(..., strict=False)` drops keys that the model does not have, leaves those that the file does not
    have at random, and takes over arrays of any shape, all in silence.

    Example: a checkpoint whose keys begin with `model.`, loaded with `strict=False`.

    Use instead: `strict=True`, after renaming the keys.
    """
    for fact in seen.facts:
        if fact.name == "weights differ":
            parts = [
                f"{kind}: {', '.join(keys)}" for kind, keys in fact.detail.items() if isinstance(keys, list) and keys
            ]
            yield rule("MP401").at("weights do not fit the model; " + "; ".join(parts), fact.file, fact.line)
    for fact in facts(seen, "loaded but unused"):
        message = f"none of the {fact.detail['arrays']} arrays of {fact.detail['file']} is in the model"
        yield rule("MP401").at(message, fact.file, fact.line)


@finding("MP402", "optimizer-state-lost", Severity.WARNING)
def optimizer_state_lost(seen: Observation) -> Iterator[Finding]:
    """Training resumes without its optimizer state.

    The moments start again from zero, and with them the first steps are as large as at the very beginning.

    Example: `model.load_weights("step100/model.safetensors")` beside an `optimizer.safetensors` that nobody reads.

    Use instead: `optimizer.state = tree_unflatten(list(mx.load("step100/optimizer.safetensors").items()))`.
    """
    for fact in facts(seen, "optimizer state unread"):
        message = f"training goes on from {fact.detail['weights']} and leaves {listed(fact.detail['unread'])} unread"
        yield rule("MP402").at(message, fact.file, fact.line)
    for fact in facts(seen, "optimizer state wiped"):
        message = f"{fact.detail['file']} was read, and the optimizer begins at step 0 all the same"
        yield rule("MP402").at(message, fact.file, fact.line)
    for fact in facts(seen, "optimizer state not saved"):
        message = (
            f"training goes on from {fact.detail['weights']}, which this program saved after {fact.detail['updates']} "
            "updates, with a new optimizer"
        )
        yield rule("MP402").at(message, fact.file, fact.line, severity=Severity.NOTE)
