"""Layers, through their public classes: functions of inputs, and of a factor of all their parameters."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from hypothesis import strategies as st

from mlxprobe.fuzz.case import Array
from mlxprobe.fuzz.operations.fast import quantization
from mlxprobe.fuzz.operations.registry import operation
from mlxprobe.fuzz.strategies import Arguments, Draw, Shape, arguments, array, floating, shape

Layer = tuple[Sequence[Any], dict[str, Any], Sequence[Shape]]  # positional and named arguments, shapes of inputs


def layer(name: str, build: Callable[[Draw], Layer], *, modes: bool = False, **traits: Any) -> None:
    """Register a layer; with `modes`, training and evaluation differ."""

    def drawn(draw: Draw) -> Arguments:
        made, named, sides = build(draw)
        dtype = floating(draw)
        arrays = [array(draw, one, dtype) for one in sides] + [array(draw, (), dtype, "share")]
        evaluates = {"evaluates": draw(st.booleans())} if modes else {}
        return arguments(*arrays, made=list(made), named=named, **evaluates)

    operation(f"nn.{name}", drawn, accumulates=True, **traits)


def _sides(draw: Draw, *high: int) -> list[int]:
    return [draw(st.integers(1, one)) for one in high]


def _linear(draw: Draw) -> Layer:
    inner, outer = _sides(draw, 9, 5)
    return (inner, outer), {"bias": draw(st.booleans())}, [(*shape(draw, 0, 2, 4, empty=False), inner)]


def _bilinear(draw: Draw) -> Layer:
    rows, one, two, outer = _sides(draw, 4, 5, 5, 4)
    return (one, two, outer), {}, [(rows, one), (rows, two)]


def _convolution(axes: int, *, transposed: bool = False) -> Callable[[Draw], Layer]:
    has_groups = axes < 3 and not transposed

    def build(draw: Draw) -> Layer:
        groups = draw(st.sampled_from((1, 1, 2))) if has_groups else 1
        inner, outer, kernel, batch = _sides(draw, 3, 3, 3, 2)
        size = [kernel + draw(st.integers(0, 3)) for _ in range(axes)]
        named = {"stride": draw(st.integers(1, 2)), "padding": draw(st.integers(0, 1)), "bias": draw(st.booleans())}
        named |= {"groups": groups} if has_groups else {}
        return (groups * inner, groups * outer, kernel), named, [(batch, *size, groups * inner)]

    return build


def _pool(axes: int) -> Callable[[Draw], Layer]:
    def build(draw: Draw) -> Layer:
        kernel, stride, batch, channels = _sides(draw, 3, 3, 2, 3)
        size = [kernel + draw(st.integers(0, 4)) for _ in range(axes)]
        return (kernel, stride), {"padding": draw(st.integers(0, kernel // 2))}, [(batch, *size, channels)]

    return build


def _features(*switches: str, low: int = 2) -> Callable[[Draw], Layer]:
    """Return a builder of a layer of features of at least `low` axes, with named arguments that are switches."""

    def build(draw: Draw) -> Layer:
        size = draw(st.integers(2, 9))
        named = {name: draw(st.booleans()) for name in switches}
        return (size,), named, [(*shape(draw, low - 1, 3, 4, empty=False), size)]

    return build


def _group_norm(draw: Draw) -> Layer:
    groups, each, rows, length = _sides(draw, 3, 3, 3, 4)
    return (groups, groups * each), {"pytorch_compatible": draw(st.booleans())}, [(rows, length + 1, groups * each)]


def _recurrent(draw: Draw) -> Layer:
    inner, hidden, length, rows = _sides(draw, 4, 4, 4, 3)
    return (inner, hidden), {}, [(rows, length, inner)]


def _attention(draw: Draw) -> Layer:
    heads, each, rows, queries, keys = _sides(draw, 2, 3, 2, 4, 4)
    dims = heads * each
    return (dims, heads), {"bias": draw(st.booleans())}, [(rows, queries, dims), (rows, keys, dims), (rows, keys, dims)]


def _upsample(draw: Draw) -> Layer:
    rows, height, width, channels = _sides(draw, 2, 4, 4, 2)
    mode = draw(st.sampled_from(("nearest", "linear", "cubic")))
    return (draw(st.integers(1, 3)),), {"mode": mode, "align_corners": False}, [(rows, height + 1, width + 1, channels)]


def _alibi(draw: Draw) -> Layer:
    rows, heads, queries, keys = _sides(draw, 2, 3, 4, 4)
    return (), {}, [(rows, heads, queries, keys)]


def _rope(draw: Draw) -> Layer:
    rows, length, half = _sides(draw, 2, 5, 3)
    return (2 * half,), {"traditional": draw(st.booleans())}, [(rows, length, 2 * half)]


def _of_fixed_shape(*made: Any, sides: Sequence[Shape], switches: Sequence[str] = (), **named: Any) -> Any:
    return lambda draw: (made, named | {name: draw(st.booleans()) for name in switches}, sides)


def _any_shape(draw: Draw) -> Layer:
    return (), {}, [shape(draw, 1, empty=False)]


def _factor(draw: Draw) -> Array:
    return array(draw, (), "float32", "share")


def _indices(draw: Draw, bound: int) -> Array:
    return array(draw, shape(draw, 1, 2, 4, empty=False), "int32", "index", bound=bound)


def _embedding(draw: Draw) -> Arguments:
    words, dims = _sides(draw, 6, 5)
    return arguments(_indices(draw, words), _factor(draw), made=[words, dims], named={})


def _quantized_embedding(draw: Draw) -> Arguments:
    words, how = draw(st.integers(1, 6)), quantization(draw, (4, 8))
    return arguments(_indices(draw, words), _factor(draw), made=[words, 64], named=how)


def _quantized_linear(draw: Draw) -> Arguments:
    named = {"bias": draw(st.booleans()), **quantization(draw, (4, 8))}
    return arguments(array(draw, (draw(st.integers(1, 4)), 64)), _factor(draw), made=[64, 32], named=named)


def _positional_encoding(draw: Draw) -> Arguments:
    return arguments(array(draw, (draw(st.integers(1, 5)),)), _factor(draw), made=[6], named={})


ENCODER: Sequence[Shape] = [(2, 3, 4), (3, 3)]
DECODER: Sequence[Shape] = [(2, 3, 4), (2, 2, 4), (3, 3), (3, 2)]
TRANSFORMER: Sequence[Shape] = [(2, 2, 4), (2, 3, 4), (2, 2), (3, 3), (3, 2)]
LAYERS: dict[str, Callable[[Draw], Layer]] = {
    "Linear": _linear,
    "AllToShardedLinear": _linear,  # a group of one rank
    "ShardedToAllLinear": _linear,
    "Bilinear": _bilinear,
    **{f"Conv{axes}d": _convolution(axes) for axes in (1, 2, 3)},
    **{f"ConvTranspose{axes}d": _convolution(axes, transposed=True) for axes in (1, 2, 3)},
    **{f"{kind}Pool{axes}d": _pool(axes) for axes in (1, 2, 3) for kind in ("Avg", "Max")},
    "LayerNorm": _features("affine", "bias"),
    "RMSNorm": _features(),
    "InstanceNorm": _features("affine", low=3),
    "GroupNorm": _group_norm,
    **dict.fromkeys(("RNN", "GRU", "LSTM"), _recurrent),
    "MultiHeadAttention": _attention,
    "Upsample": _upsample,
    "ALiBi": _alibi,
    "RoPE": _rope,
    "PReLU": _any_shape,
    "Identity": _any_shape,
    **{f"Dropout{more}": _of_fixed_shape(0.0, sides=[(2, 3, 3, 2)]) for more in ("", "2d")},
    "Dropout3d": _of_fixed_shape(0.0, sides=[(2, 3, 3, 2, 2)]),
    "TransformerEncoderLayer": _of_fixed_shape(4, 2, sides=ENCODER, switches=["norm_first"], mlp_dims=6),
    "TransformerEncoder": _of_fixed_shape(1, 4, 2, sides=ENCODER, switches=["norm_first"], mlp_dims=6),
    "TransformerDecoderLayer": _of_fixed_shape(4, 2, sides=DECODER, mlp_dims=6),
    "TransformerDecoder": _of_fixed_shape(1, 4, 2, sides=DECODER, mlp_dims=6),
    "Transformer": _of_fixed_shape(4, 2, 1, 1, sides=TRANSFORMER, mlp_dims=6),
}
KINKS = ("MaxPool1d", "MaxPool2d", "MaxPool3d", "PReLU")
for name, build in LAYERS.items():
    layer(name, build, smooth=name not in KINKS)
layer("BatchNorm", _features(), modes=True, without=("vmap",))
operation("nn.Embedding", _embedding, accumulates=True, smooth=(1,))
operation("nn.QuantizedEmbedding", _quantized_embedding, accumulates=True, smooth=False)
for name in ("QuantizedLinear", "QuantizedAllToShardedLinear", "QuantizedShardedToAllLinear"):
    operation(f"nn.{name}", _quantized_linear, accumulates=True, smooth=False)
operation("nn.SinusoidalPositionalEncoding", _positional_encoding, accumulates=True, smooth=False)
