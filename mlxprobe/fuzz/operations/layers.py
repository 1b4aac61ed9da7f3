"""Layers, through their public classes: of inputs, and of a factor of all their parameters."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from hypothesis import strategies as st

from mlxprobe.fuzz.operations.registry import operation
from mlxprobe.fuzz.strategies import Draw, Drawn, Shape, array, floating, shape

FACTOR: Shape = ()


def layer(
    name: str, build: Callable[[Draw], tuple[Sequence[Any], dict[str, Any], Sequence[Shape]]], **what: Any
) -> None:
    """Take in a layer; `build` draws how it is made, and the shapes of its inputs."""

    def drawn(draw: Draw) -> Drawn:
        made, named, sides = build(draw)
        dtype = floating(draw)
        arrays = [array(draw, one, dtype) for one in sides] + [array(draw, FACTOR, dtype, "share")]
        words = {"made": list(made), "named": named}
        words |= {"evaluates": draw(st.booleans())} if "modes" in what else {}
        return Drawn(tuple(arrays), tuple({"array": k} for k in range(len(arrays))), words)

    operation(f"nn.{name}", drawn, None, accumulates=True, **{k: v for k, v in what.items() if k != "modes"})


def _sides(draw: Draw, *high: int) -> list[int]:
    return [draw(st.integers(1, one)) for one in high]


def _linear(draw: Draw) -> Any:
    inner, outer = _sides(draw, 9, 5)
    return (inner, outer), {"bias": draw(st.booleans())}, [(*shape(draw, 0, 2, 4, empty=False), inner)]


def _bilinear(draw: Draw) -> Any:
    rows, one, two, outer = _sides(draw, 4, 5, 5, 4)
    return (one, two, outer), {}, [(rows, one), (rows, two)]


def _conv(axes: int, *, transposed: bool = False) -> Callable[[Draw], Any]:
    def build(draw: Draw) -> Any:
        groups = draw(st.sampled_from((1, 1, 2))) if axes < 3 and not transposed else 1
        inner, outer, kernel, batch = (
            groups * draw(st.integers(1, 3)),
            groups * draw(st.integers(1, 3)),
            *_sides(draw, 3, 2),
        )
        size = [kernel + draw(st.integers(0, 3)) for _ in range(axes)]
        named = {"stride": draw(st.integers(1, 2)), "padding": draw(st.integers(0, 1)), "bias": draw(st.booleans())}
        named |= {"groups": groups} if axes < 3 and not transposed else {}
        return (inner, outer, kernel), named, [(batch, *size, inner)]

    return build


def _pool(axes: int) -> Callable[[Draw], Any]:
    def build(draw: Draw) -> Any:
        kernel, stride, batch, channels = _sides(draw, 3, 3, 2, 3)
        size = [kernel + draw(st.integers(0, 4)) for _ in range(axes)]
        return (kernel, stride), {"padding": draw(st.integers(0, kernel // 2))}, [(batch, *size, channels)]

    return build


def _features(*, low: int = 2, high: int = 4, named: Callable[[Draw], dict[str, Any]] = lambda _: {}) -> Any:
    def build(draw: Draw) -> Any:
        size = draw(st.integers(2, 9))
        return (size,), named(draw), [(*shape(draw, low - 1, high - 1, 4, empty=False), size)]

    return build


def _grouped(draw: Draw) -> Any:
    groups, each, rows, length = _sides(draw, 3, 3, 3, 4)
    return (groups, groups * each), {"pytorch_compatible": draw(st.booleans())}, [(rows, length + 1, groups * each)]


def _recurrent(draw: Draw) -> Any:
    inner, hidden, length, rows = _sides(draw, 4, 4, 4, 3)
    return (inner, hidden), {}, [(rows, length, inner)]


def _attention(draw: Draw) -> Any:
    heads, each, rows, queries, keys = _sides(draw, 2, 3, 2, 4, 4)
    dims = heads * each
    return (dims, heads), {"bias": draw(st.booleans())}, [(rows, queries, dims), (rows, keys, dims), (rows, keys, dims)]


def _upsample(draw: Draw) -> Any:
    rows, height, width, channels = _sides(draw, 2, 4, 4, 2)
    mode = draw(st.sampled_from(("nearest", "linear", "cubic")))
    return (draw(st.integers(1, 3)),), {"mode": mode, "align_corners": False}, [(rows, height + 1, width + 1, channels)]


def _alibi(draw: Draw) -> Any:
    rows, heads, queries, keys = _sides(draw, 2, 3, 4, 4)
    return (), {}, [(rows, heads, queries, keys)]


def _rope(draw: Draw) -> Any:
    rows, length, half = _sides(draw, 2, 5, 3)
    return (2 * half,), {"traditional": draw(st.booleans())}, [(rows, length, 2 * half)]


def _embedded(draw: Draw) -> Drawn:
    words, dims = _sides(draw, 6, 5)
    places = array(draw, shape(draw, 1, 2, 4, empty=False), "int32", "index", bound=words)
    return Drawn(
        (places, array(draw, (), "float32", "share")),
        ({"array": 0}, {"array": 1}),
        {"made": [words, dims], "named": {}},
    )


def _embedded_bits(draw: Draw) -> Drawn:
    words, how = draw(st.integers(1, 6)), {"group_size": 32, "bits": draw(st.sampled_from((4, 8)))}
    places = array(draw, shape(draw, 1, 2, 4, empty=False), "int32", "index", bound=words)
    return Drawn((places, array(draw, (), "float32", "share")), ({"array": 0}, {"array": 1}),
                 {"made": [words, 64], "named": how})  # fmt: skip


def _quantized(draw: Draw) -> Drawn:
    named = {"bias": draw(st.booleans()), "group_size": 32, "bits": draw(st.sampled_from((4, 8)))}
    arrays = (array(draw, (draw(st.integers(1, 4)), 64)), array(draw, (), "float32", "share"))
    return Drawn(arrays, ({"array": 0}, {"array": 1}), {"made": [64, 32], "named": named})


LAYERS: dict[str, Callable[[Draw], Any]] = {
    "Linear": _linear,
    "AllToShardedLinear": _linear,  # a group of one rank
    "ShardedToAllLinear": _linear,
    "Bilinear": _bilinear,
    **{f"Conv{axes}d": _conv(axes) for axes in (1, 2, 3)},
    **{f"ConvTranspose{axes}d": _conv(axes, transposed=True) for axes in (1, 2, 3)},
    **{f"{kind}Pool{axes}d": _pool(axes) for axes in (1, 2, 3) for kind in ("Avg", "Max")},
    "LayerNorm": _features(named=lambda draw: {"affine": draw(st.booleans()), "bias": draw(st.booleans())}),
    "RMSNorm": _features(),
    "InstanceNorm": _features(low=3, named=lambda draw: {"affine": draw(st.booleans())}),
    "GroupNorm": _grouped,
    "RNN": _recurrent,
    "GRU": _recurrent,
    "LSTM": _recurrent,
    "MultiHeadAttention": _attention,
    "Upsample": _upsample,
    "ALiBi": _alibi,
    "RoPE": _rope,
    "PReLU": lambda draw: ((), {}, [shape(draw, 1, empty=False)]),
    "Identity": lambda draw: ((), {}, [shape(draw, 1, empty=False)]),
    **{f"Dropout{more}": lambda draw: ((0.0,), {}, [(2, 3, 3, 2)]) for more in ("", "2d")},
    "Dropout3d": lambda draw: ((0.0,), {}, [(2, 3, 3, 2, 2)]),
    "TransformerEncoderLayer": lambda draw: (
        (4, 2),
        {"mlp_dims": 6, "norm_first": draw(st.booleans())},
        [(2, 3, 4), (3, 3)],
    ),
    "TransformerEncoder": lambda draw: (
        (1, 4, 2),
        {"mlp_dims": 6, "norm_first": draw(st.booleans())},
        [(2, 3, 4), (3, 3)],
    ),
    "TransformerDecoderLayer": lambda draw: ((4, 2), {"mlp_dims": 6}, [(2, 3, 4), (2, 2, 4), (3, 3), (3, 2)]),
    "TransformerDecoder": lambda draw: ((1, 4, 2), {"mlp_dims": 6}, [(2, 3, 4), (2, 2, 4), (3, 3), (3, 2)]),
    "Transformer": lambda draw: ((4, 2, 1, 1), {"mlp_dims": 6}, [(2, 2, 4), (2, 3, 4), (2, 2), (3, 3), (3, 2)]),
}
KINKS = ("MaxPool1d", "MaxPool2d", "MaxPool3d", "PReLU")
for name, build in LAYERS.items():
    layer(name, build, **({"smooth": False} if name in KINKS else {}))
layer("BatchNorm", _features(low=2), modes=True, without=("vmap",))
operation("nn.Embedding", _embedded, None, accumulates=True, smooth=(1,))
operation("nn.QuantizedEmbedding", _embedded_bits, None, accumulates=True, smooth=False)
for name in ("QuantizedLinear", "QuantizedAllToShardedLinear", "QuantizedShardedToAllLinear"):
    operation(f"nn.{name}", _quantized, None, accumulates=True, smooth=False)
operation("nn.SinusoidalPositionalEncoding", lambda draw: Drawn(
    (array(draw, (draw(st.integers(1, 5)),)), array(draw, (), "float32", "share")), ({"array": 0}, {"array": 1}),
    {"made": [6], "named": {}}), None, accumulates=True, smooth=False)  # fmt: skip
