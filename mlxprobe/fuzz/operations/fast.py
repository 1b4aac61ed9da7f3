"""`mlx.core.fast`, and quantized numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st
from scipy import special

from mlxprobe.fuzz.operations.registry import operation
from mlxprobe.fuzz.strategies import VARIED, Arguments, Draw, arguments, array, floating, one_array, shape

EPSILON = 1e-5


def _normalised(draw: Draw, vectors: int) -> Arguments:
    dims = shape(draw, 1, 3, 6, empty=False)
    dtype = floating(draw)
    values = array(draw, dims, dtype, VARIED)
    return arguments(values, *(array(draw, dims[-1:], dtype) for _ in range(vectors)), after=(EPSILON,))


def _rms_norm(a: Any, w: Any, eps: float) -> Any:
    return a / np.sqrt(np.mean(a * a, -1, keepdims=True) + eps) * w


def _layer_norm(a: Any, w: Any, b: Any, eps: float) -> Any:
    return _rms_norm(a - np.mean(a, -1, keepdims=True), w, eps) + b


def _attention_arguments(draw: Draw) -> Arguments:
    groups, heads = draw(st.sampled_from((1, 2))), draw(st.sampled_from((1, 2)))
    batch, queries, keys, size = (draw(st.integers(1, 4)) for _ in range(4))
    dtype, masked = floating(draw), draw(st.sampled_from(("none", "causal", "bool", "bias")))
    keys = max(keys, queries) if masked == "causal" else keys
    sides = [(batch, heads * groups, queries, size), (batch, heads, keys, size), (batch, heads, keys, size)]
    sides += [(queries, keys)] * (masked == "bias")  # type: ignore[list-item]
    masks: dict[str, dict[str, Any]] = {"causal": {"mask": "causal"}, "bias": {"mask": {"array": 3}}}
    arrays = tuple(array(draw, dims, dtype) for dims in sides)
    return Arguments(arrays, tuple({"array": k} for k in range(3)), {"scale": 0.5, **masks.get(masked, {})})


def _attention(q: Any, k: Any, v: Any, scale: float, mask: Any = None) -> Any:
    k, v = (np.repeat(one, q.shape[1] // k.shape[1], 1) for one in (k, v))
    scores = scale * q @ k.swapaxes(-1, -2)
    if isinstance(mask, str):
        rows, columns = scores.shape[-2:]
        scores = np.where(np.tril(np.ones((rows, columns), bool), columns - rows), scores, -np.inf)
    elif mask is not None:
        scores = scores + mask
    return special.softmax(scores, -1) @ v


def _rope_arguments(draw: Draw) -> Arguments:
    size = 2 * draw(st.integers(1, 3))
    dims = (*(draw(st.integers(1, high)) for high in (2, 3, 5)), size + draw(st.sampled_from((0, 2))))
    named = {"traditional": draw(st.booleans()), "base": 100.0, "scale": 1.0, "offset": draw(st.integers(0, 5))}
    return arguments(array(draw, dims, floating(draw)), after=(size,), **named)


def _rope(a: Any, dims: int, traditional: bool, base: float, scale: float, offset: int) -> Any:
    half = dims // 2
    angle = scale * (np.arange(a.shape[-2]) + offset)[:, None] * base ** -(np.arange(half) / half)
    cos, sin = np.cos(angle), np.sin(angle)
    found = a.copy()
    first, second = (slice(0, dims, 2), slice(1, dims, 2)) if traditional else (slice(0, half), slice(half, dims))
    found[..., first] = a[..., first] * cos - a[..., second] * sin
    found[..., second] = a[..., first] * sin + a[..., second] * cos
    return found


def _hadamard_arguments(draw: Draw) -> Arguments:
    dims = (*shape(draw, 0, 2, 3, empty=False), draw(st.sampled_from((1, 2, 4, 8, 16))))
    return arguments(array(draw, dims, floating(draw)), scale=0.25)


def _hadamard(a: Any, scale: float) -> Any:
    matrix = np.ones((1, 1))
    while len(matrix) < a.shape[-1]:
        matrix = np.block([[matrix, matrix], [matrix, -matrix]])
    return scale * a @ matrix


def _sum_of_all(a: Any, scale: float) -> Any:
    return np.full_like(a, a.sum())


def _cross_entropy_arguments(draw: Draw) -> Arguments:
    rows, classes = draw(st.integers(1, 5)), draw(st.sampled_from((2, 3, 7, 33, 1025)))
    scores = array(draw, (rows, classes), floating(draw))
    return arguments(scores, array(draw, (rows,), "uint32", "index", bound=classes))


def _cross_entropy(a: Any, places: Any) -> Any:
    return special.logsumexp(a, -1) - np.take_along_axis(a, places[:, None].astype(int), -1)[:, 0]


def _gated_delta(draw: Draw) -> Arguments:
    batch, steps, heads, keys, values = (draw(st.integers(1, high)) for high in (2, 5, 2, 4, 4))
    sides = ((batch, steps, heads, keys),) * 2 + ((batch, steps, heads, values),) + ((batch, steps, heads),) * 2
    kinds = ("unit", "unit", "real", "share", "share")
    return arguments(*(array(draw, dims, "float32", kind) for dims, kind in zip(sides, kinds, strict=True)))


def quantization(draw: Draw, bits: tuple[int, ...] = (2, 4, 8), groups: tuple[int, ...] = (32,)) -> dict[str, Any]:
    """Draw the arguments of a quantization."""
    size = draw(st.sampled_from(groups)) if len(groups) > 1 else groups[0]
    return {"group_size": size, "bits": draw(st.sampled_from(bits))}


def _any_quantization(draw: Draw) -> dict[str, Any]:
    return quantization(draw, (2, 3, 4, 5, 6, 8), (32, 64))


def _quantize(draw: Draw) -> Arguments:
    rows = draw(st.integers(1, 4))
    named = quantization(draw)
    return arguments(array(draw, (rows, 32 * draw(st.integers(1, 2)))), **named)


def _quantized_matmul(draw: Draw) -> Arguments:
    """Draw a matrix, and one that is quantized."""
    named = _any_quantization(draw)
    group = named["group_size"]
    outputs, inner = draw(st.integers(1, 5)), group * draw(st.integers(1, 2))
    transposes = draw(st.booleans())
    outputs = outputs if transposes else 32 * outputs
    dims = (outputs, inner) if transposes else (inner, outputs if outputs % group == 0 else 64)
    rows = draw(st.sampled_from((1, 3, 9, 33)))
    dtype = floating(draw)
    return arguments(array(draw, (rows, inner), dtype), array(draw, dims, dtype), transpose=transposes, **named)


def _dequantize(draw: Draw) -> Arguments:
    named = _any_quantization(draw)
    dims = (draw(st.integers(1, 4)), named["group_size"] * draw(st.integers(1, 2)))
    return arguments(array(draw, dims, floating(draw)), **named)


def _gather_qmm(draw: Draw) -> Arguments:
    many, rows, columns, few = (draw(st.integers(1, high)) for high in (3, 4, 5, 5))
    named = quantization(draw)
    factors = (array(draw, (many, rows, 64)), array(draw, (many, columns, 64)))
    indices = (array(draw, (few,), "uint32", "index", bound=many) for _ in range(2))
    return arguments(*factors, *indices, **named)


def _no_difference(x: Any, w: Any, rows: Any, *_: Any, **__: Any) -> Any:
    return np.zeros((len(rows), x.shape[1], w.shape[1]))


def _largest_products(x: Any, w: Any, rows: Any, *_: Any, **__: Any) -> Any:
    return _no_difference(x, w, rows) + x.shape[-1] * np.max(x) * np.max(w)


operation("fast.rms_norm", lambda draw: _normalised(draw, 1), _rms_norm, accumulates=True)
operation("fast.layer_norm", lambda draw: _normalised(draw, 2), _layer_norm, accumulates=True)
operation("fast.scaled_dot_product_attention", _attention_arguments, _attention, accumulates=True)
operation("fast.rope", _rope_arguments, _rope, accumulates=True)
operation("fast.cross_entropy", _cross_entropy_arguments, _cross_entropy, accumulates=True, smooth=(0,))
operation("fast.gated_delta_update", _gated_delta, accumulates=True, several=True)
operation("hadamard_transform", _hadamard_arguments, _hadamard, bound=_sum_of_all, accumulates=True)
operation("quantize", _quantize, smooth=False, accumulates=True)
operation("quantized_matmul", _quantized_matmul, accumulates=True, smooth=(0,))
operation("dequantize", _dequantize, accumulates=True, smooth=False)
operation("gather_qmm", _gather_qmm, _no_difference, bound=_largest_products, accumulates=True, smooth=False)
operation("to_fp8", one_array(), exact=True, smooth=False)
operation("from_fp8", one_array("positive", "uint8"), exact=True, smooth=False)
