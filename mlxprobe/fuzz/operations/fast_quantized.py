"""`mlx.core.fast`, quantized products, and arrays that are made of numbers alone."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st
from scipy import special

from mlxprobe.fuzz.operations.registry import operation
from mlxprobe.fuzz.strategies import VARIED, Draw, Drawn, array, floating, given, shape

EPSILON = 1e-5


def _normalised(draw: Draw, *, shifted: bool) -> Drawn:
    of = shape(draw, 1, 3, 6, empty=False)
    dtype = floating(draw)
    parts = [array(draw, of, dtype, VARIED), array(draw, of[-1:], dtype)]
    parts += [array(draw, of[-1:], dtype)] if shifted else []
    return given(*parts, after=(EPSILON,))


def _rms(a: Any, w: Any, eps: float) -> Any:
    return a / np.sqrt(np.mean(a * a, -1, keepdims=True) + eps) * w


def _layer(a: Any, w: Any, b: Any, eps: float) -> Any:
    away = a - np.mean(a, -1, keepdims=True)
    return away / np.sqrt(np.mean(away * away, -1, keepdims=True) + eps) * w + b


def _attended(draw: Draw) -> Drawn:
    groups, heads = draw(st.sampled_from((1, 2))), draw(st.sampled_from((1, 2)))
    batch, queries, keys, size = (draw(st.integers(1, 4)) for _ in range(4))
    dtype, masked = floating(draw), draw(st.sampled_from(("none", "causal", "bool", "bias")))
    keys = max(keys, queries) if masked == "causal" else keys
    parts = [
        array(draw, (batch, heads * groups, queries, size), dtype),
        array(draw, (batch, heads, keys, size), dtype),
        array(draw, (batch, heads, keys, size), dtype),
    ]
    named: dict[str, Any] = {"scale": 0.5}
    if masked == "causal":
        named["mask"] = "causal"
    elif masked == "bias":
        parts.append(array(draw, (queries, keys), dtype))
        named["mask"] = {"array": 3}
    return Drawn(tuple(parts), tuple({"array": k} for k in range(3)), named)


def _attention(q: Any, k: Any, v: Any, scale: float, mask: Any = None) -> Any:
    times = q.shape[1] // k.shape[1]
    k, v = np.repeat(k, times, 1), np.repeat(v, times, 1)
    scores = scale * q @ k.swapaxes(-1, -2)
    if isinstance(mask, str):
        rows, columns = scores.shape[-2:]
        scores = np.where(np.tril(np.ones((rows, columns), bool), columns - rows), scores, -np.inf)
    elif mask is not None:
        scores = scores + mask
    return special.softmax(scores, -1) @ v


def _turned(draw: Draw) -> Drawn:
    dims = 2 * draw(st.integers(1, 3))
    of = (
        draw(st.integers(1, 2)),
        draw(st.integers(1, 3)),
        draw(st.integers(1, 5)),
        dims + draw(st.sampled_from((0, 2))),
    )
    named = {"traditional": draw(st.booleans()), "base": 100.0, "scale": 1.0, "offset": draw(st.integers(0, 5))}
    return given(array(draw, of, floating(draw)), after=(dims,), **named)


def _rope(a: Any, dims: int, traditional: bool, base: float, scale: float, offset: int) -> Any:
    half = dims // 2
    angle = scale * (np.arange(a.shape[-2]) + offset)[:, None] * base ** -(np.arange(half) / half)
    cos, sin = np.cos(angle), np.sin(angle)
    found = a.copy()
    first, second = (slice(0, dims, 2), slice(1, dims, 2)) if traditional else (slice(0, half), slice(half, dims))
    found[..., first] = a[..., first] * cos - a[..., second] * sin
    found[..., second] = a[..., first] * sin + a[..., second] * cos
    return found


def _hadamard(draw: Draw) -> Drawn:
    of = (*shape(draw, 0, 2, 3, empty=False), draw(st.sampled_from((1, 2, 4, 8, 16))))
    return given(array(draw, of, floating(draw)), scale=0.25)


def _hadamard_reference(a: Any, scale: float) -> Any:
    matrix = np.ones((1, 1))
    while len(matrix) < a.shape[-1]:
        matrix = np.block([[matrix, matrix], [matrix, -matrix]])
    return scale * a @ matrix


def _quantized(draw: Draw) -> Drawn:
    rows = draw(st.integers(1, 4))
    named = {"group_size": 32, "bits": draw(st.sampled_from((2, 4, 8)))}
    return given(array(draw, (rows, 32 * draw(st.integers(1, 2)))), **named)


def _range(draw: Draw) -> Drawn:
    start, step = draw(st.integers(-5, 5)), draw(st.sampled_from((-2, -1, 1, 2, 0.5)))
    return Drawn((), (start, start + step * draw(st.integers(0, 8)), step), {"dtype": {"dtype": "float32"}})


def _spaced(draw: Draw) -> Drawn:
    return Drawn((), (draw(st.integers(-5, 5)), draw(st.integers(-5, 5)), draw(st.integers(1, 9))))


def _sized(draw: Draw) -> Drawn:
    return Drawn((), (draw(st.integers(1, 9)),))


def _identity(draw: Draw) -> Drawn:
    return Drawn((), (draw(st.integers(1, 5)), draw(st.integers(1, 5)), draw(st.integers(-3, 3))))


def _filled(draw: Draw) -> Drawn:
    return Drawn((), (list(shape(draw)),))


ALONE = {"smooth": False, "without": ("vmap", "copy")}
operation("fast.rms_norm", lambda draw: _normalised(draw, shifted=False), _rms, accumulates=True)
operation("fast.layer_norm", lambda draw: _normalised(draw, shifted=True), _layer, accumulates=True)
operation("fast.scaled_dot_product_attention", _attended, _attention, accumulates=True)
operation("fast.rope", _turned, _rope, accumulates=True)
operation(
    "hadamard_transform",
    _hadamard,
    _hadamard_reference,
    bound=lambda a, scale: np.full_like(a, a.sum()),
    accumulates=True,
)
operation("quantize", _quantized, None, smooth=False, accumulates=True)
operation("arange", _range, lambda *words, dtype: np.arange(*words), **ALONE)  # noqa: PLW0108 - `dtype` stays behind
operation("linspace", _spaced, np.linspace, bound=lambda *ends: np.full(ends[2], 5.0), **ALONE)
operation("eye", _identity, np.eye, exact=True, **ALONE)
operation("tri", _identity, np.tri, exact=True, **ALONE)
operation("identity", _sized, np.identity, exact=True, **ALONE)
operation("zeros", _filled, np.zeros, exact=True, **ALONE)
operation("ones", _filled, np.ones, exact=True, **ALONE)
for window in ("bartlett", "blackman", "hamming", "hanning"):
    operation(window, _sized, getattr(np, window), bound=np.ones, **ALONE)


def _keyed(draw: Draw) -> dict[str, Any]:
    return {"shape": list(shape(draw)), "key": {"array": 0}}


def _key(draw: Draw) -> Any:
    return array(draw, (2,), "uint32", "positive")


def random(name: str, **named: Any) -> None:
    """Take in random numbers: the same key gives the same ones in every mode and on every release."""

    def build(draw: Draw) -> Drawn:
        return Drawn((_key(draw),), (), _keyed(draw) | named)

    operation(f"random.{name}", build, None, smooth=False)


for drawn in ("uniform", "normal", "gumbel", "laplace"):
    random(drawn)
random("bernoulli", p=0.4)
random("randint", low=-3, high=9)
random("truncated_normal", lower=-1.0, upper=1.5)
operation("random.split", lambda draw: given(_key(draw), num=draw(st.integers(1, 4))), None, exact=True, smooth=False)
operation("random.permutation", lambda draw: Drawn((_key(draw),), (draw(st.integers(1, 9)),), {"key": {"array": 0}}),
          None, exact=True, smooth=False, without=("vmap",))  # fmt: skip
operation("random.categorical", lambda draw: Drawn((array(draw, shape(draw, 1, empty=False)), _key(draw)),
          ({"array": 0},), {"key": {"array": 1}}), None, exact=True, smooth=False)  # fmt: skip
