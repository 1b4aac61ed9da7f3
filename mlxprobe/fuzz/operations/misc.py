"""Products of chosen, masked or quantized matrices, views of other dtypes, frequencies, and other functions apart."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
from hypothesis import strategies as st
from scipy import special as scipy_special

from mlxprobe.fuzz.operations.products import convolved
from mlxprobe.fuzz.operations.reductions import over_axes, plural
from mlxprobe.fuzz.operations.registry import operation
from mlxprobe.fuzz.strategies import Draw, Drawn, any_dtype, array, axis, floating, given, integer, shape

BLOCK = 32
ALONE: dict[str, Any] = {"smooth": False, "without": ("vmap", "copy")}


def _gathered(draw: Draw) -> Drawn:
    many, rows, inner, columns, few = (draw(st.integers(1, high)) for high in (3, 4, 9, 4, 5))
    dtype = floating(draw)
    return Drawn(
        (
            array(draw, (many, rows, inner), dtype),
            array(draw, (many, inner, columns), dtype),
            array(draw, (few,), "uint32", "index", bound=many),
            array(draw, (few,), "uint32", "index", bound=many),
        ),
        ({"array": 0}, {"array": 1}),
        {"lhs_indices": {"array": 2}, "rhs_indices": {"array": 3}},
    )


def _gather_mm(a: Any, b: Any, lhs_indices: Any, rhs_indices: Any) -> Any:
    return a[lhs_indices] @ b[rhs_indices]


def _segmented(draw: Draw) -> Drawn:
    rows, inner, columns = (draw(st.integers(1, high)) for high in (4, 9, 4))
    edges = sorted(draw(st.lists(st.integers(0, inner), min_size=2, max_size=4)))
    parts = [array(draw, (rows, inner)), array(draw, (inner, columns))]
    return Drawn(tuple(parts), ({"array": 0}, {"array": 1}, {"whole": [[*pair] for pair in itertools.pairwise(edges)]}))


def _segmented_mm(a: Any, b: Any, segments: Any) -> Any:
    return np.stack([a[:, first:last] @ b[first:last] for first, last in segments])


def _masked(draw: Draw) -> Drawn:
    rows, inner, columns = (draw(st.integers(1, 70)) for _ in range(3))
    tiles = [-(-side // BLOCK) for side in (rows, inner, columns)]
    masks = {"mask_out": (tiles[0], tiles[2]), "mask_lhs": (tiles[0], tiles[1]), "mask_rhs": (tiles[1], tiles[2])}
    parts = [array(draw, (rows, inner)), array(draw, (inner, columns))]
    parts += [array(draw, of, "bool") for of in masks.values()]
    return Drawn(
        tuple(parts),
        ({"array": 0}, {"array": 1}, BLOCK),
        {name: {"array": 2 + k} for k, name in enumerate(masks)},
    )


def _block_masked(a: Any, b: Any, block: int, mask_out: Any, mask_lhs: Any, mask_rhs: Any) -> Any:
    def spread(mask: Any, of: Any) -> Any:
        return np.repeat(np.repeat(mask, block, 0), block, 1)[: of[0], : of[1]]

    return (a * spread(mask_lhs, a.shape)) @ (b * spread(mask_rhs, b.shape)) * spread(mask_out, (len(a), b.shape[1]))


def _general(draw: Draw) -> Drawn:
    axes = draw(st.integers(1, 2))
    channels, outputs = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    kernel = tuple(draw(st.integers(1, 3)) for _ in range(axes))
    size = tuple(side + draw(st.integers(2, 5)) for side in kernel)
    named = {"stride": draw(st.integers(1, 2)), "padding": draw(st.integers(0, 1)), "flip": draw(st.booleans())}
    dtype = floating(draw)
    return given(array(draw, (2, *size, channels), dtype), array(draw, (outputs, *kernel, channels), dtype), **named)


def _conv_general(a: Any, w: Any, stride: int, padding: int, flip: bool) -> Any:
    return convolved(a, np.flip(w, tuple(range(1, w.ndim - 1))) if flip else w, stride, padding)


def _quantized(draw: Draw) -> dict[str, Any]:
    return {"group_size": draw(st.sampled_from((32, 64))), "bits": draw(st.sampled_from((2, 3, 4, 5, 6, 8)))}


def _through(draw: Draw) -> Drawn:
    """Draw what is quantized, and what it is multiplied with."""
    how = _quantized(draw)
    outputs, inner = draw(st.integers(1, 5)), how["group_size"] * draw(st.integers(1, 2))
    transposes = draw(st.booleans())
    outputs = outputs if transposes else 32 * outputs
    of = (outputs, inner) if transposes else (inner, outputs if outputs % how["group_size"] == 0 else 64)
    rows = draw(st.sampled_from((1, 3, 9, 33)))
    dtype = floating(draw)
    return given(array(draw, (rows, inner), dtype), array(draw, of, dtype), transpose=transposes, **how)


def _restored(draw: Draw) -> Drawn:
    how = _quantized(draw)
    of = (draw(st.integers(1, 4)), how["group_size"] * draw(st.integers(1, 2)))
    return given(array(draw, of, floating(draw)), **how)


def _strided(draw: Draw) -> Drawn:
    size = draw(st.integers(4, 12))
    rows, columns = draw(st.integers(1, 2)), draw(st.integers(1, 2))
    return given(array(draw, (size,), any_dtype(draw)), after=([rows, columns], [columns, 1], draw(st.integers(0, 0))))


def _as_strided(a: Any, of: Any, strides: Any, offset: int) -> Any:
    return np.lib.stride_tricks.as_strided(a[offset:], of, [one * a.itemsize for one in strides])


def _viewed(draw: Draw) -> Drawn:
    of = (*shape(draw, 0, 2, 4, empty=False), 2 * draw(st.integers(1, 3)))
    pairs = (("int32", "uint32"), ("int16", "uint16"), ("int8", "uint8"), ("int64", "uint64"), ("int32", "uint8"))
    first, second = draw(st.sampled_from(pairs))
    return given(array(draw, of, first), after=({"dtype": second},))


def _view(a: Any, dtype: Any) -> Any:
    return np.ascontiguousarray(a).view(dtype["dtype"])


def _unflattened(draw: Draw) -> Drawn:
    of = shape(draw, 1, 3, empty=False)
    first, second = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    along = axis(draw, len(of))
    whole = list(of)
    whole[along] = first * second
    return given(array(draw, tuple(whole), any_dtype(draw)), after=(along, [first, second]))


def _unflatten(a: Any, along: int, of: Any) -> Any:
    at = along % a.ndim
    return a.reshape(*a.shape[:at], *of, *a.shape[at + 1 :])


def _cut(draw: Draw) -> tuple[tuple[int, ...], list[int], list[int], list[int]]:
    of = shape(draw, 1, 3, empty=False)
    axes = list(draw(st.permutations(range(len(of)))))[: draw(st.integers(1, len(of)))]
    sizes = [draw(st.integers(1, of[k])) for k in axes]
    starts = [draw(st.integers(0, of[k] - size)) for k, size in zip(axes, sizes, strict=True)]
    return of, axes, starts, sizes


def _sliced(draw: Draw) -> Drawn:
    of, axes, starts, sizes = _cut(draw)
    whole = [side if k not in axes else sizes[axes.index(k)] for k, side in enumerate(of)]
    return given(array(draw, of, any_dtype(draw)), after=({"whole": starts}, axes, whole))


def _slice(a: Any, starts: Any, axes: Any, whole: Any) -> Any:
    places = [slice(None)] * a.ndim
    for start, k in zip(starts, axes, strict=True):
        places[k] = slice(start, start + whole[k])
    return a[tuple(places)]


def _updated(draw: Draw) -> Drawn:
    of, axes, starts, sizes = _cut(draw)
    part = tuple(side if k not in axes else sizes[axes.index(k)] for k, side in enumerate(of))
    dtype = any_dtype(draw)
    return given(array(draw, of, dtype), array(draw, part, dtype), after=({"whole": starts}, axes))


def _slice_update(a: Any, part: Any, starts: Any, axes: Any) -> Any:
    found, places = a.copy(), [slice(None)] * a.ndim
    for start, k in zip(starts, axes, strict=True):
        places[k] = slice(start, start + part.shape[k])
    found[tuple(places)] = part
    return found


def _frequencies(draw: Draw) -> Drawn:
    return Drawn((), (draw(st.integers(1, 9)),), {"d": draw(st.sampled_from((1.0, 0.5)))})


def _filled(draw: Draw) -> Drawn:
    return Drawn((), (list(shape(draw)), draw(st.sampled_from((2.5, -1, 0)))))


def _norms(draw: Draw) -> Drawn:
    of = shape(draw, 2, 2, empty=False)
    return given(array(draw, of), ord=draw(st.sampled_from(("fro", 1, -1, "nuc"))), keepdims=draw(st.booleans()))


def _norm(a: Any, ord: Any, keepdims: bool) -> Any:  # noqa: A002 - MLX's name
    return np.linalg.norm(a, ord=ord, axis=(-2, -1), keepdims=keepdims)


def _scored(draw: Draw) -> Drawn:
    rows, classes = draw(st.integers(1, 5)), draw(st.sampled_from((2, 3, 7, 33, 1025)))
    return given(array(draw, (rows, classes), floating(draw)), array(draw, (rows,), "uint32", "index", bound=classes))


def _cross_entropy(a: Any, places: Any) -> Any:
    return scipy_special.logsumexp(a, -1) - np.take_along_axis(a, places[:, None].astype(int), -1)[:, 0]


def _minmax(a: Any, axis: Any = None, keepdims: bool = False) -> Any:
    return plural(np.min)(a, axis, keepdims), plural(np.max)(a, axis, keepdims)


operation("minmax", over_axes("distinct", empty=False), _minmax, exact=True, several=True)
operation("fast.cross_entropy", _scored, _cross_entropy, accumulates=True, smooth=(0,))
operation("matrix_norm", _norms, _norm, accumulates=True, smooth=False)
operation("gather_mm", _gathered, _gather_mm, bound=_gather_mm, accumulates=True, smooth=(0, 1))
operation("segmented_mm", _segmented, _segmented_mm, bound=_segmented_mm, accumulates=True)
operation("block_masked_mm", _masked, _block_masked, bound=_block_masked, accumulates=True, smooth=(0, 1))
operation("conv_general", _general, _conv_general, bound=_conv_general, accumulates=True)
operation("quantized_matmul", _through, None, accumulates=True, smooth=(0,))
operation("dequantize", _restored, None, accumulates=True, smooth=False)
operation("as_strided", _strided, _as_strided, exact=True, without=("vmap",))
operation("view", _viewed, _view, exact=True, smooth=False)
operation("unflatten", _unflattened, _unflatten, exact=True)
operation("slice", _sliced, _slice, exact=True)
operation("slice_update", _updated, _slice_update, exact=True)
operation("to_fp8", lambda draw: given(array(draw, shape(draw), floating(draw))), None, exact=True, smooth=False)
operation("from_fp8", lambda draw: given(array(draw, shape(draw), "uint8", "positive")), None, exact=True, smooth=False)
operation("fft.fftfreq", _frequencies, np.fft.fftfreq, **ALONE)
operation("fft.rfftfreq", _frequencies, np.fft.rfftfreq, **ALONE)
operation("full", _filled, np.full, exact=True, **ALONE)
operation("asarray", lambda draw: given(array(draw, shape(draw), integer(draw))), lambda a: a, exact=True, smooth=False)
