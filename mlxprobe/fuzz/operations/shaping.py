"""Functions that move, join, cut, view and fill elements."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st

from mlxprobe.fuzz.operations.registry import named_axes, operation, same_in_numpy, unchanged
from mlxprobe.fuzz.strategies import (
    Arguments,
    Builder,
    Draw,
    any_dtype,
    arguments,
    array,
    axis,
    floating,
    integer,
    one_array,
    shape,
    shapes,
    some_axes,
)


def _with_axis(low: int = 1, **more: st.SearchStrategy[Any]) -> Builder:
    """Return a builder of one array, one of its axes, and further named arguments."""

    def build(draw: Draw) -> Arguments:
        dims = shape(draw, low)
        named = {name: draw(strategy) for name, strategy in more.items()}
        return arguments(array(draw, dims, any_dtype(draw)), axis=axis(draw, len(dims)), **named)

    return build


def _with_matrix(low: int = 2, **more: st.SearchStrategy[Any]) -> Builder:
    """Return a builder of an array of at least two axes and named arguments."""
    return lambda draw: arguments(
        array(draw, shape(draw, low, empty=False), floating(draw)), **{name: draw(one) for name, one in more.items()}
    )


def _joined(draw: Draw) -> Arguments:
    """Draw arrays that are alike except along the axis of the join."""
    dims, dtype = shape(draw, 1), any_dtype(draw)
    along = axis(draw, len(dims))
    parts = []
    for _ in range(draw(st.integers(1, 3))):
        part = list(dims)
        part[along] = draw(st.integers(0, 4))
        parts.append(array(draw, tuple(part), dtype))
    return Arguments(tuple(parts), ([{"array": k} for k in range(len(parts))],), {"axis": along})


def _stacked(draw: Draw) -> Arguments:
    dims, dtype = shape(draw), any_dtype(draw)
    parts = tuple(array(draw, dims, dtype) for _ in range(draw(st.integers(1, 3))))
    return Arguments(parts, ([{"array": k} for k in range(len(parts))],), {"axis": axis(draw, len(dims) + 1)})


def _permuted(draw: Draw) -> Arguments:
    dims = shape(draw)
    return arguments(array(draw, dims, any_dtype(draw)), after=(list(draw(st.permutations(range(len(dims))))),))


def _reshaped(draw: Draw) -> Arguments:
    dims = shape(draw, empty=False)
    merged = draw(st.integers(0, max(len(dims) - 1, 0)))
    whole = [int(np.prod(dims[: merged + 1], dtype=int)), *dims[merged + 1 :]]
    return arguments(array(draw, dims, any_dtype(draw)), after=([*whole, *[1] * draw(st.integers(0, 2))],))


def _broadcast(draw: Draw) -> Arguments:
    dims = shape(draw, empty=False)
    wider = [draw(st.integers(1, 4)) if side == 1 else side for side in dims]
    return arguments(array(draw, dims, any_dtype(draw)), after=([*[2] * draw(st.integers(0, 1)), *wider],))


def _two_axes(draw: Draw) -> Arguments:
    dims = shape(draw, 1)
    return arguments(array(draw, dims, any_dtype(draw)), after=(axis(draw, len(dims)), axis(draw, len(dims))))


def _flattened(draw: Draw) -> Arguments:
    dims = shape(draw, 1)
    first = draw(st.integers(0, len(dims) - 1))
    values = array(draw, dims, any_dtype(draw))
    return arguments(values, start_axis=first, end_axis=draw(st.integers(first, len(dims) - 1)))


def _flatten(a: Any, start_axis: int = 0, end_axis: int = -1) -> Any:
    end = end_axis % max(a.ndim, 1)
    return a.reshape(*a.shape[:start_axis], int(np.prod(a.shape[start_axis : end + 1], dtype=int)), *a.shape[end + 1 :])


def _unflattened(draw: Draw) -> Arguments:
    whole = list(shape(draw, 1, 3, empty=False))
    first, second = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    along = axis(draw, len(whole))
    whole[along] = first * second
    return arguments(array(draw, tuple(whole), any_dtype(draw)), after=(along, [first, second]))


def _unflatten(a: Any, along: int, dims: Any) -> Any:
    at = along % a.ndim
    return a.reshape(*a.shape[:at], *dims, *a.shape[at + 1 :])


def _padded(draw: Draw) -> Arguments:
    dims = shape(draw, 1, side=4, empty=False)
    widths = [[draw(st.integers(0, 2)), draw(st.integers(0, 2))] for _ in dims]
    values = array(draw, dims, floating(draw))
    return arguments(values, after=(widths,), mode=draw(st.sampled_from(("constant", "edge"))))


def _differences(draw: Draw) -> Arguments:
    dims = shape(draw, 1, empty=False)
    along = axis(draw, len(dims))
    return arguments(array(draw, dims, floating(draw)), n=draw(st.integers(0, min(2, dims[along] - 1))), axis=along)


def _sections(draw: Draw) -> Arguments:
    dims = list(shape(draw, 1, empty=False))
    along, parts = axis(draw, len(dims)), draw(st.integers(1, 3))
    dims[along] *= parts
    return arguments(array(draw, tuple(dims), any_dtype(draw)), after=(parts,), axis=along)


def _diagonal(draw: Draw) -> Arguments:
    dims = shape(draw, 1, 2, empty=False)
    return arguments(array(draw, dims, floating(draw)), k=draw(st.integers(-2, 2)) if len(dims) == 1 else 0)


def _grid(draw: Draw) -> Arguments:
    parts = tuple(array(draw, (draw(st.integers(1, 4)),)) for _ in range(draw(st.integers(1, 3))))
    return arguments(*parts, indexing=draw(st.sampled_from(("xy", "ij"))), sparse=draw(st.booleans()))


def _squeezed(draw: Draw) -> Arguments:
    dims = shape(draw, empty=False)
    return arguments(array(draw, (1, *dims), any_dtype(draw)), axis=0)


def _rolled(draw: Draw) -> Arguments:
    dims = shape(draw, 1)
    along = draw(st.sampled_from((None, axis(draw, len(dims)))))
    return arguments(array(draw, dims, any_dtype(draw)), after=(draw(st.integers(-4, 4)), along))


def _flipped(draw: Draw) -> Arguments:
    dims = shape(draw)
    return arguments(array(draw, dims, any_dtype(draw)), axis=some_axes(draw, len(dims)))


def _tiled(draw: Draw) -> Arguments:
    values = array(draw, shape(draw, 1), any_dtype(draw))
    return arguments(values, after=([draw(st.integers(1, 3)) for _ in range(2)],))


def _cast(draw: Draw) -> Arguments:
    return arguments(array(draw, shape(draw), any_dtype(draw), "positive"), after=({"dtype": any_dtype(draw)},))


def _strided(draw: Draw) -> Arguments:
    size = draw(st.integers(4, 12))
    rows, columns = draw(st.integers(1, 2)), draw(st.integers(1, 2))
    values = array(draw, (size,), any_dtype(draw))
    return arguments(values, after=([rows, columns], [columns, 1], draw(st.integers(0, 0))))


def _as_strided(a: Any, dims: Any, strides: Any, offset: int) -> Any:
    return np.lib.stride_tricks.as_strided(a[offset:], dims, [one * a.itemsize for one in strides])


def _viewed(draw: Draw) -> Arguments:
    dims = (*shape(draw, 0, 2, 4, empty=False), 2 * draw(st.integers(1, 3)))
    pairs = (("int32", "uint32"), ("int16", "uint16"), ("int8", "uint8"), ("int64", "uint64"), ("int32", "uint8"))
    first, second = draw(st.sampled_from(pairs))
    return arguments(array(draw, dims, first), after=({"dtype": second},))


def _view(a: Any, dtype: Any) -> Any:
    return np.ascontiguousarray(a).view(dtype["dtype"])


def _unstack(a: Any, axis: int) -> Any:
    return [np.take(a, k, axis) for k in range(a.shape[axis])]


SMALL = st.integers(-2, 2)
same_in_numpy("transpose", _permuted, exact=True)
same_in_numpy("reshape", _reshaped, exact=True)
operation("flatten", _flattened, _flatten, exact=True)
operation("unflatten", _unflattened, _unflatten, exact=True)
same_in_numpy("broadcast_to", _broadcast, exact=True)
same_in_numpy("swapaxes moveaxis", _two_axes, exact=True)
same_in_numpy("expand_dims", _with_axis(1), exact=True)
same_in_numpy("squeeze", _squeezed, exact=True)
operation("flip", _flipped, lambda a, axis=None: np.flip(a, named_axes(axis)), exact=True)
same_in_numpy("roll", _rolled, exact=True)
same_in_numpy("repeat", _with_axis(repeats=st.sampled_from((0, 1, 2, 3, 0))), exact=True)
same_in_numpy("tile", _tiled, exact=True)
same_in_numpy("concatenate", _joined, exact=True)
same_in_numpy("stack", _stacked, exact=True)
same_in_numpy("split", _sections, exact=True, several=True)
operation("unstack", _with_axis(), _unstack, exact=True, several=True)
operation("pad", _padded, lambda a, widths, mode: np.pad(a, widths, mode=mode), exact=True)
same_in_numpy("diag", _diagonal, exact=True)
same_in_numpy("diagonal", _with_matrix(offset=SMALL), exact=True)
same_in_numpy("trace", _with_matrix(offset=SMALL), bound=np.trace, accumulates=True)
same_in_numpy("tril triu", _with_matrix(k=SMALL), exact=True)
same_in_numpy("diff", _differences, accumulates=True)
same_in_numpy("atleast_1d atleast_2d atleast_3d zeros_like ones_like", one_array("real", "float32"), exact=True)
same_in_numpy("meshgrid", _grid, exact=True, several=True)
operation("matrix_transpose", _with_matrix(), getattr(np, "matrix_transpose", None), exact=True)
operation("contiguous", one_array("real", any_dtype), unchanged, exact=True)
operation("astype", _cast, exact=True, smooth=False)
same_in_numpy("full_like", lambda draw: arguments(array(draw, shape(draw)), after=(2.5,)), exact=True, smooth=False)
same_in_numpy(
    "broadcast_arrays", lambda draw: arguments(*(array(draw, one) for one in shapes(draw, 2))), exact=True, several=True
)
operation("as_strided", _strided, _as_strided, exact=True, without=("vmap",))
operation("view", _viewed, _view, exact=True, smooth=False)
operation("asarray", one_array("real", integer), unchanged, exact=True, smooth=False)
