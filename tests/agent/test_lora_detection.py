"""Adapters are recognised by what a layer does, whatever its names; a scale is read beside its file."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mlx.core as mx
import pytest
from mlx import nn

from mlxprobe.agent.introspection.lora_config import declared
from mlxprobe.agent.introspection.lora_detection import find, readings
from mlxprobe.agent.recording.call_context import Nesting
from mlxprobe.agent.replay.adapter_scale import adds


class Layer(nn.Module):  # type: ignore[misc]  # mlx.nn has no types
    """Any layer: what it holds, and what it does with that."""

    def __init__(self, call: Callable[[Any, Any], Any], **held: Any) -> None:
        super().__init__()
        self.call = call
        for name, one in held.items():
            setattr(self, name, one)

    def __call__(self, x: Any) -> Any:
        return self.call(self, x)


def normal(*shape: int) -> Any:
    return mx.random.normal(shape, key=mx.random.key(sum(shape)))


def linear(inputs: int, outputs: int) -> nn.Linear:
    return nn.Linear(inputs, outputs, bias=False)


ADAPTERS = {
    "factors in the layer": Layer(
        lambda m, x: m.base(x) + 3.0 * (x @ m.a @ m.b), base=nn.Linear(12, 20), a=normal(12, 4), b=normal(4, 20)
    ),
    "torch's way round": Layer(
        lambda m, x: m.base(x) + 3.0 * (x @ m.a.T @ m.b.T), base=linear(12, 20), a=normal(4, 12), b=normal(20, 4)
    ),
    "factors that are layers": Layer(
        lambda m, x: m.base(x) + 3.0 * m.up(m.down(x)), base=nn.Linear(12, 20), down=linear(12, 4), up=linear(4, 20)
    ),
    "a square base": Layer(
        lambda m, x: m.base(x) + 3.0 * (x @ m.a @ m.b), base=linear(12, 12), a=normal(12, 4), b=normal(4, 12)
    ),
    "quantised": Layer(
        lambda m, x: m.base(x) + 3.0 * (x @ m.a @ m.b),
        base=nn.QuantizedLinear(64, 32, bias=False),
        a=normal(64, 4),
        b=normal(4, 32),
    ),
    "an embedding": Layer(
        lambda m, x: m.base(x) + 3.0 * (m.a[x] @ m.b), base=nn.Embedding(12, 20), a=normal(12, 4), b=normal(4, 20)
    ),
}
OTHERS = {
    "a bottleneck beside a shortcut": Layer(
        lambda m, x: m.base(x) + m.up(nn.relu(m.down(x))), base=linear(12, 12), down=linear(12, 4), up=linear(4, 12)
    ),
    "layers in a row": nn.Sequential(linear(12, 4), linear(4, 12), linear(12, 12)),
}


@pytest.mark.parametrize("layer", ADAPTERS.values(), ids=ADAPTERS)
def test_an_adapter_is_found_with_its_rank_and_scale_and_left_as_it_was(layer: Layer) -> None:
    mx.eval(layer.parameters())
    before = dict(layer)
    (one,) = find(nn.Sequential(layer, nn.ReLU()))
    assert one.rank == 4
    assert adds(one, Nesting()) == pytest.approx(3.0, rel=1e-3)
    assert layer.training
    assert all(layer[name] is held for name, held in before.items())


@pytest.mark.parametrize("layer", OTHERS.values(), ids=OTHERS)
def test_what_has_the_form_of_an_adapter_and_does_something_else_is_none(layer: nn.Module) -> None:
    assert [adds(one, Nesting()) for one in find(layer)] == [None]


def test_a_layer_of_four_matrices_has_no_adapter() -> None:
    assert find(nn.Sequential(linear(12, 4), linear(4, 12), linear(12, 12), linear(12, 12))) == []


@pytest.mark.parametrize(
    ("said", "scales"),
    [
        ({"scale": 20.0, "alpha": 16.0, "rank": 8.0}, {20.0}),
        ({"lora_alpha": 32.0, "r": 4.0}, {32.0, 8.0, 16.0}),
        ({"rank": 4.0}, set()),
    ],
    ids=["a scale", "an alpha", "a rank alone"],
)
def test_an_alpha_may_be_meant_with_or_without_its_rank(said: dict[str, float], scales: set[float]) -> None:
    assert readings(said) == scales


@pytest.mark.parametrize(
    ("name", "text", "found"),
    [
        ("adapter_config.json", {"lora_parameters": {"rank": 8, "scale": 20.0}}, {"rank": 8, "scale": 20}),
        ("adapter_config.json", {"r": 16, "lora_alpha": 32}, {"r": 16, "lora_alpha": 32}),
        ("config.json", {"rope": {"scale": 2.0}}, None),
        ("config.json", {"adapter": {"rank": 2, "alpha": "4"}}, {"rank": 2, "alpha": 4}),
    ],
    ids=["mlx_lm", "peft", "another scale", "in a larger one"],
)
def test_a_scale_is_read_from_the_configuration_beside_a_file(
    name: str, text: dict[str, Any], found: dict[str, float] | None, tmp_path: Path
) -> None:
    (tmp_path / name).write_text(json.dumps(text))
    said = declared(str(tmp_path / "adapters.npz"))
    assert (said and said.names) == found


def test_a_safetensors_file_tells_its_own_scale(tmp_path: Path) -> None:
    file = str(tmp_path / "adapters.safetensors")
    mx.save_safetensors(file, {"a": mx.ones((2,))}, metadata={"rank": "4", "scale": "0.5"})
    said = declared(file)
    assert said is not None
    assert said.names == {"rank": 4, "scale": 0.5}
