"""Gradients are known by identity, at the calls that all ranks look at."""

import mlx.core as mx

from mlxprobe.agent.hooks.collectives import Leaves


def test_a_gradient_is_named_as_long_as_it_is_itself() -> None:
    leaves, one, other = Leaves(), mx.ones(3), mx.ones(3)
    leaves.take({"layers": [{"weight": one}, {"weight": other}]})
    assert [leaves.name(each) for each in (one, other, one + 0)] == ["layers.0.weight", "layers.1.weight", ""]
    named = []
    for _ in range(2, 8):
        leaves.take({"weight": one})
        named.append(leaves.name(one))
    assert named == ["weight", "weight", "weight", "", "weight", ""], "landmarks: 2, 3, 4, 6"
