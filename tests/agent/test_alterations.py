"""What interventions make of gradients, masks and states."""

import mlx.core as mx
import mlx.nn as nn
import pytest
from mlx.utils import tree_flatten

from mlxprobe.agent.hooks import alterations


def test_the_gradients_of_factors_are_kept_alone() -> None:
    one = mx.ones(2)
    layers = [{"linear": {"weight": one}}, {"linear": {"weight": one}, "lora_a": one, "lora_b": one, "m": one}]
    kept = alterations.adapters_alone({"layers": layers, "m": one})
    assert {path for path, _ in tree_flatten(kept)} == {"layers.1.lora_a", "layers.1.lora_b", "layers.1.m"}


def test_without_factors_all_gradients_are_kept() -> None:
    assert set(alterations.adapters_alone({"weight": mx.ones(1)})) == {"weight"}


@pytest.mark.parametrize(("dtype", "refused"), [(mx.bool_, False), (mx.float32, -float("inf"))])
def test_a_mask_becomes_causal_besides_what_it_was(dtype: mx.Dtype, refused: float) -> None:
    q = mx.zeros((1, 1, 3, 4))
    mask = mx.array([True, True, False]) if dtype == mx.bool_ else mx.array([0.0, 0.0, -float("inf")])
    made = alterations.causal(mx, q, q, mask[None, None, None])
    allowed = mx.array([[True, False, False], [True, True, False], [True, True, False]])
    assert mx.array_equal(made[0, 0] == refused, mx.logical_not(allowed)).item()


def test_attention_over_another_sequence_is_left_as_it_is() -> None:
    q, k = mx.zeros((1, 1, 3, 4)), mx.zeros((1, 1, 5, 4))
    assert alterations.causal(mx, q, k, None) is None
    assert alterations.causal(mx, q, q, "causal") == "causal" == alterations.causal(mx, q, q, None)


def test_the_random_state_is_added_once() -> None:
    state = [mx.ones(1)]
    assert alterations.with_random_state(mx, None) == [mx.random.state]
    assert alterations.with_random_state(mx, state) == [state, mx.random.state]
    known = [state, mx.random.state]
    assert alterations.with_random_state(mx, known) is known


def test_half_precision_becomes_single_and_nothing_else_changes() -> None:
    ids, half = mx.array([1]), mx.ones(2, mx.bfloat16)
    model = nn.Linear(2, 2)
    model.set_dtype(mx.float16)
    args = alterations.single_precision((model, {"x": [half]}, ids, 3))
    assert args[0] is model and model.weight.dtype == mx.float32 == args[1]["x"][0].dtype
    assert args[2] is ids and args[3] == 3
