"""Findings about axes that are taken for one another."""

from __future__ import annotations

from collections.abc import Iterator

from mlxprobe.protocol.facts.losses import AttentionTransposed, PooledAcross, SoftmaxOverAll, SoftmaxOverRows
from mlxprobe.protocol.facts.models import ChannelsFirst, HeadsSwapped, Reshaped, RowsMixed, RowsSecond, TimeFirst
from mlxprobe.rules.registry import finding, findings_from_facts, rule
from mlxprobe.schema.enums import Severity
from mlxprobe.schema.observation import Observation
from mlxprobe.schema.record import Finding

AXES = {
    HeadsSwapped: "rotary positions are counted along the {heads} heads: data of shape {shape}, where the last axis "
    "but one is taken for time",
    Reshaped: "data of shape {before} are reshaped to {after}: their numbers stay in order, and no axis moves",
    AttentionTransposed: "the weights of an attention, of shape {shape}, sum to one along axis {axis}, and their "
    "product with the values sums along the last: each output is no mean",
    RowsSecond: "a recurrent layer is given data of shape {shape}: the {rows} rows that have a target each lie "
    "along the second axis, which it takes for time",
    PooledAcross: "axes 2 and 3 of an array of shape {shape} are pooled, its width and its channels: what "
    "convolutions return has its channels last",
    SoftmaxOverAll: "mx.softmax is given no axis, and takes all of an array of shape {shape} for one row: it is the "
    "whole batch that sums to one",
    SoftmaxOverRows: "a softmax, or its logarithm, runs along the first axis of an array of shape {shape}, where there "
    "is a label for each row: it is the rows that share one probability, class by class",
}


@finding("MP305", "channel-layout")
def channel_layout(seen: Observation) -> Iterator[Finding]:
    """Data with its channels, or its time, first reaches a layer that wants the batch first and the channels last.

    MLX's convolutions take (batch, length, channels). Where length and channels are the same number no layer can tell;
    then this finding rests on the data: neighbours along the last axis resemble each other, neighbours in time do not.
    A recurrent layer takes (batch, length, channels) too: given (length, batch, channels) it runs along the batch, and
    each moment starts anew. That is a warning, where neighbours along the first axis resemble each other, or there are
    as many targets as places along the second; so are rotary positions of (batch, length, heads, features): MLX counts
    them along the last axis but one; and so is an attention whose weights are a softmax along another axis than the one
    that their product with the values sums, or along all of them; and so is a model whose outputs for a row are others
    at another place of the batch, or with other rows beside it, in evaluation mode too: where its inputs have a row for
    each target, it was called again with its rows moved. Of little more than what a batch's own mean explains that is a
    note. A reshape to the same sizes in another order moves no axis: it is told where it is made at each step.

    Example: PyTorch's (batch, channels, length) given to `nn.Conv1d`, its (length, batch, channels) to `nn.GRU`;
    `nn.RoPE` before the heads are moved to the front; `mx.softmax(scores)`; `positions[: x.shape[0]]`;
    `x.reshape(time, batch, -1)`; `mx.mean(pictures, axis=(2, 3))`; `q.reshape(batch, heads, length, -1)`.

    Use instead: `x.swapaxes(1, 2)`, in place of such a reshape too, before a convolution or `nn.RoPE`,
    `x.swapaxes(0, 1)` before a recurrent layer; `mx.softmax(scores, axis=-1)`; `axis=(1, 2)` for
    the mean of pictures.
    """
    yield from findings_from_facts(seen, "MP305", AXES, Severity.WARNING)
    known = seen.has(SoftmaxOverRows, SoftmaxOverAll)  # calls by which rows meet
    for fact, at in [one for one in seen.facts(RowsMixed) if one[0].looks and not known]:
        ways = {"its place in the batch": fact.place, "the rows beside it": fact.beside}
        message = f"what {fact.model} returns for a row depends on {' and '.join(one for one in ways if ways[one])}"
        severity = Severity.WARNING if fact.sure else Severity.NOTE
        yield rule("MP305").at(f"{message}: is an axis taken for another?", at.file, at.line, severity=severity)
    yield from _by_neighbours(seen)


def _by_neighbours(seen: Observation) -> Iterator[Finding]:
    """Tell of data whose neighbours resemble each other along another axis than a layer takes for time."""
    for fact, at in seen.facts(TimeFirst):
        time, rows = fact.time, fact.channels
        message = (
            f"data of shape {fact.shape} seems to have its time first: neighbours correlate by {rows:.2f} "
            f"along the first axis and by {time:.2f} along the second, which the layer takes for time"
        )
        yield rule("MP305").at(message, at.file, at.line, severity=Severity.WARNING, first_axis=rows, time=time)
    for fact, at in seen.facts(ChannelsFirst):
        if fact.time is None:
            message = f"data of shape {fact.shape} reaches a layer of {fact.channels:.0f} channels"
            yield rule("MP305").at(message, at.file, at.line)
        else:
            message = (
                f"data of shape {fact.shape} seems to have its channels first: neighbours correlate by "
                f"{fact.channels:.2f} along the last axis and by {fact.time:.2f} in time"
            )
            yield rule("MP305").at(message, at.file, at.line, last_axis=fact.channels, time=fact.time)
