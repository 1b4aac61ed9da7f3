"""Functions that read or write elements by index."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st

from mlxprobe.fuzz.operations.registry import operation, same_in_numpy
from mlxprobe.fuzz.strategies import Arguments, Draw, any_dtype, arguments, array, axis, floating, shape


def _take(draw: Draw) -> Arguments:
    dims = shape(draw, 1, empty=False)
    along = axis(draw, len(dims))
    indices = shape(draw, 0, 2)
    kind = draw(st.sampled_from(("int32", "uint32", "int64")))
    places = array(draw, indices, kind, "index", bound=dims[along])
    return arguments(array(draw, dims, any_dtype(draw)), places, axis=along)


def _take_along_axis(draw: Draw) -> Arguments:
    dims = shape(draw, 1, empty=False)
    along = axis(draw, len(dims))
    indices = list(dims)
    indices[along] = draw(st.integers(1, 6))
    values = array(draw, dims, floating(draw))
    return arguments(values, array(draw, tuple(indices), "int32", "index", bound=dims[along]), axis=along)


def _put(draw: Draw) -> Arguments:
    size, few = draw(st.integers(2, 6)), draw(st.integers(1, 2))
    dtype = floating(draw)
    values, places = array(draw, (size,), dtype), array(draw, (few,), "int32", "unique", bound=size)
    return arguments(values, places, array(draw, (few,), dtype), axis=0)


def _put_along_axis(a: Any, places: Any, values: Any, axis: int) -> Any:
    found = a.copy()
    np.put_along_axis(found, places, values, axis)
    return found


def _slices(draw: Draw) -> Arguments:
    dims = shape(draw, 1, empty=False)
    edge = st.one_of(st.none(), st.integers(-6, 6))
    parts = [{"slice": [draw(edge), draw(edge), draw(st.sampled_from((None, 1, 2, -1, -2)))]} for _ in dims]
    return arguments(array(draw, dims, any_dtype(draw)), after=(parts,))


def _rows(draw: Draw) -> Arguments:
    dims = shape(draw, 1, empty=False)
    values = array(draw, dims, any_dtype(draw))
    return arguments(values, array(draw, shape(draw, 0, 2), "int32", "index", bound=dims[0]))


def _rows_to_add(draw: Draw) -> Arguments:
    size, width, many = draw(st.integers(1, 5)), draw(st.integers(1, 4)), draw(st.integers(1, 6))
    dtype = floating(draw)
    values, places = array(draw, (size, width), dtype), array(draw, (many,), "int32", "index", bound=size)
    return arguments(values, places, array(draw, (many, width), dtype))


def _add_at(a: Any, places: Any, values: Any) -> Any:
    found = a.copy()
    np.add.at(found, places, values)
    return found


def _block(draw: Draw) -> tuple[tuple[int, ...], list[int], list[int], tuple[int, ...]]:
    """Draw a shape, and a block in it: some axes, where it starts on each, and its size."""
    dims = shape(draw, 1, 3, empty=False)
    axes = list(draw(st.permutations(range(len(dims)))))[: draw(st.integers(1, len(dims)))]
    sizes = {k: draw(st.integers(1, dims[k])) for k in axes}
    starts = [draw(st.integers(0, dims[k] - size)) for k, size in sizes.items()]
    return dims, axes, starts, tuple(sizes.get(k, side) for k, side in enumerate(dims))


def _place_of_block(ndim: int, starts: Any, axes: Any, sizes: Any) -> tuple[slice, ...]:
    known = {k: slice(start, start + sizes[k]) for start, k in zip(starts, axes, strict=True)}
    return tuple(known.get(k, slice(None)) for k in range(ndim))


def _block_to_read(draw: Draw) -> Arguments:
    dims, axes, starts, sizes = _block(draw)
    return arguments(array(draw, dims, any_dtype(draw)), after=({"whole": starts}, axes, list(sizes)))


def _slice(a: Any, starts: Any, axes: Any, sizes: Any) -> Any:
    return a[_place_of_block(a.ndim, starts, axes, sizes)]


def _block_to_write(draw: Draw) -> Arguments:
    dims, axes, starts, sizes = _block(draw)
    dtype = any_dtype(draw)
    return arguments(array(draw, dims, dtype), array(draw, sizes, dtype), after=({"whole": starts}, axes))


def _slice_update(a: Any, part: Any, starts: Any, axes: Any) -> Any:
    found = a.copy()
    found[_place_of_block(a.ndim, starts, axes, part.shape)] = part
    return found


def sliced(a: Any, parts: Any) -> Any:
    """Return the part of an array that a case's slices name."""
    return a[tuple(slice(*one["slice"]) for one in parts)]


same_in_numpy("take", _take, exact=True, smooth=(0,))
same_in_numpy("take_along_axis", _take_along_axis, exact=True, smooth=(0,))
operation("put_along_axis", _put, _put_along_axis, exact=True, smooth=(0, 2))
operation("[]", _slices, sliced, exact=True)
operation("array.__getitem__", _rows, lambda a, places: a[places], exact=True, smooth=(0,))
operation("at[].add", _rows_to_add, _add_at, bound=_add_at, accumulates=True, smooth=(0, 2))
operation("slice", _block_to_read, _slice, exact=True)
operation("slice_update", _block_to_write, _slice_update, exact=True)
