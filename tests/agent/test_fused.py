"""A loss that a GPU computes in one kernel is read as the same loss is elsewhere: pure drawing, no GPU is needed."""

from typing import Any

import mlx.core as mx
import mlx.nn as nn
import pytest

from mlxprobe.agent.graph import lazy_graph
from mlxprobe.agent.graph.loss_classifier import LossKind

NAMED = frozenset({"a0", "a1", "a2"})
STEP = '{{ {k} [label ="{kind}", shape=rectangle]; }}\n'


def as_a_gpu_draws(*operations: tuple[str, str, tuple[str, ...]]) -> LossKind:
    """Write the drawing of operations, each with the array that it makes and those that it is given."""
    text = "digraph {\n"
    for k, (made, kind, given) in enumerate(operations):
        text += STEP.format(k=k, kind=kind) + "".join(f'"{one}" -> {k}\n' for one in given)
        text += f'{{ "{made}"; }}\n{k} -> "{made}"\n'
    return LossKind(text + "}", NAMED)


def both(*, softmax: bool, weighed: bool) -> list[LossKind]:
    """Return the graph of a weighed cross-entropy as this machine draws it, and as one with the kernel does."""
    inputs, ids, weights = mx.ones((8, 3)), mx.zeros((8,), dtype=mx.int32), mx.ones((8,))
    layer = nn.Linear(3, 4)
    mx.eval(layer.parameters(), inputs, ids, weights)
    logits = mx.softmax(layer(inputs), axis=-1) if softmax else layer(inputs)
    losses = nn.losses.cross_entropy(logits, ids)
    loss = (losses * weights).sum() if weighed else losses.sum()
    here = LossKind(lazy_graph.dot(loss=loss, a0=inputs, a1=ids, a2=weights), NAMED)
    steps: list[tuple[str, str, tuple[str, ...]]] = [("C", "AddMM", ("a0", "W", "b"))]
    steps += [("S", "Softmax", ("C",))] if softmax else []
    steps += [("E", "CrossEntropy", (steps[-1][0], "a1"))]
    steps += [("M", "Multiply", ("E", "a2"))] if weighed else []
    return [here, as_a_gpu_draws(*steps, ("T", "Sum", (steps[-1][0],)), ("loss", "Squeeze", ("T",)))]


@pytest.mark.parametrize("weighed", [False, True])
@pytest.mark.parametrize("softmax", [False, True])
def test_a_kernel_s_cross_entropy_is_told_as_the_one_of_operations_is(softmax: bool, weighed: bool) -> None:
    here, fused = both(softmax=softmax, weighed=weighed)

    def told(one: LossKind) -> list[Any]:
        asked = one.indices(), one.past_layers(), one.compares(classes=True), one.squashed()[0], one.into_layers()
        return [*asked, one.label_free({"a1"}), one.hand_written(), one.picks_largest(), one.reaches("a1")]

    assert told(fused) == told(here)
    assert here.indices() == {"a1"} and here.compares(classes=True) == "classes"
    assert here.squashed()[0] == ("softmax" if softmax else "")
    assert ("a2" in here.past_layers()) is weighed
