"""Convolutions that are given their channels first."""

from __future__ import annotations

from collections.abc import Iterator

from mlxprobe.protocol.facts.models import ChannelsFirst
from mlxprobe.rules.registry import finding, rule
from mlxprobe.schema.observation import Observation
from mlxprobe.schema.record import Finding


@finding("MP305", "channels-first", explains=("MP306",))
def channels_first(seen: Observation) -> Iterator[Finding]:
    """Data reaches a convolution with its channels before its length.

    Why it matters: MLX's convolutions take (batch, length, channels). Where length and channels are the same number no
    error is raised, and the layer convolves over the channels.

    Example: PyTorch's (batch, channels, length) is given to `nn.Conv1d`.

    Use instead: `x.swapaxes(1, 2)` before the convolution.

    Limits: where both sizes are equal this rests on the data: neighbours along the last axis resemble each other, and
    neighbours in time do not.
    """
    for fact, at in seen.facts(ChannelsFirst):
        if fact.time is None:
            message = f"data of shape {fact.shape} reaches a layer of {fact.channels:.0f} channels"
            yield rule("MP305").at(message, at.file, at.line)
        else:
            message = f"data of shape {fact.shape} seems to have its channels first: neighbours correlate by "
            message += f"{fact.channels:.2f} along the last axis and by {fact.time:.2f} in time"
            yield rule("MP305").at(message, at.file, at.line, last_axis=fact.channels, time=fact.time)
