"""Findings about weights and checkpoints."""

from __future__ import annotations

from collections.abc import Iterator

from mlxprobe.diagnosis.registry import finding, rule
from mlxprobe.model import Finding, Observation


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
