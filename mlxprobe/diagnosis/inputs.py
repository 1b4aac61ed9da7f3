"""Findings about the data that layers are given."""

from __future__ import annotations

from collections.abc import Iterator

from mlxprobe.diagnosis.registry import facts, finding, rule
from mlxprobe.values.observation import Observation
from mlxprobe.values.record import Finding


@finding("MP304", "id-out-of-range", needs="ids")
def id_out_of_range(seen: Observation) -> Iterator[Finding]:
    """An index is beyond the embedding or the logits.

    MLX checks no bounds: it reads whatever lies there, and the loss looks plausible.

    Example: a tokenizer with 32,001 ids before an embedding of 32,000 rows.

    Use instead: as many rows as the tokenizer has ids; a mask for ids that mean "ignore".
    """
    for fact in facts(seen, "id out of range"):
        low, high, limit = (float(str(fact.detail[name])) for name in ("low", "high", "limit"))
        worst = high if high >= limit else low
        message = f"{fact.detail['kind']} id {worst:.0f} is beyond a table of {limit:.0f}"
        yield rule("MP304").at(message, fact.file, fact.line, id=worst, table=limit)


@finding("MP305", "channel-layout")
def channel_layout(seen: Observation) -> Iterator[Finding]:
    """Data with its channels first reaches a layer that wants them last.

    MLX's convolutions take (batch, length, channels). Where length and channels are the same number no layer can
    tell; then this finding rests on the data: neighbours along the last axis resemble each other, neighbours in time
    do not.

    Example: PyTorch's (batch, channels, length) given to `nn.Conv1d`.

    Use instead: `x.swapaxes(1, 2)` before the layer.
    """
    for fact in facts(seen, "channels first"):
        if "channels" in fact.detail and "time" not in fact.detail:
            message = f"data of shape {fact.detail['shape']} reaches a layer of {fact.detail['channels']} channels"
            yield rule("MP305").at(message, fact.file, fact.line)
        else:
            time, channels = float(str(fact.detail["time"])), float(str(fact.detail["channels"]))
            message = (
                f"data of shape {fact.detail['shape']} seems to have its channels first: neighbours correlate by "
                f"{channels:.2f} along the last axis and by {time:.2f} in time"
            )
            yield rule("MP305").at(message, fact.file, fact.line, last_axis=channels, time=time)
