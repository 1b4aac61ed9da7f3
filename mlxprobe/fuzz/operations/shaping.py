"""Functions that move, join, cut and make elements."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import strategies as st

from mlxprobe.fuzz.operations.registry import operation
from mlxprobe.fuzz.strategies import Draw, Drawn, any_dtype, array, axis, floating, given, shape, shapes, some_axes


def with_axis(low: int = 1, **more: st.SearchStrategy[Any]) -> Callable[[Draw], Drawn]:
    """Return a builder of one array, one of its axes, and further named arguments."""

    def build(draw: Draw) -> Drawn:
        of = shape(draw, low)
        named = {name: draw(strategy) for name, strategy in more.items()}
        return given(array(draw, of, any_dtype(draw)), axis=axis(draw, len(of)), **named)

    return build


def with_matrix(low: int = 2, **more: st.SearchStrategy[Any]) -> Callable[[Draw], Drawn]:
    """Return a builder of an array of at least two axes and named arguments."""
    return lambda draw: given(
        array(draw, shape(draw, low, empty=False), floating(draw)), **{name: draw(one) for name, one in more.items()}
    )


def joined(draw: Draw) -> Drawn:
    """Draw arrays that are alike but for the axis along which they are joined."""
    of, dtype = shape(draw, 1), any_dtype(draw)
    along = axis(draw, len(of))
    parts = []
    for _ in range(draw(st.integers(1, 3))):
        part = list(of)
        part[along] = draw(st.integers(0, 4))
        parts.append(array(draw, tuple(part), dtype))
    return Drawn(tuple(parts), ([{"array": k} for k in range(len(parts))],), {"axis": along})


def stacked(draw: Draw) -> Drawn:
    """Draw arrays of one shape."""
    of, dtype = shape(draw), any_dtype(draw)
    parts = tuple(array(draw, of, dtype) for _ in range(draw(st.integers(1, 3))))
    return Drawn(parts, ([{"array": k} for k in range(len(parts))],), {"axis": axis(draw, len(of) + 1)})


def permuted(draw: Draw) -> Drawn:
    """Draw an array and an order of its axes."""
    of = shape(draw)
    return given(array(draw, of, any_dtype(draw)), after=(list(draw(st.permutations(range(len(of))))),))


def reshaped(draw: Draw) -> Drawn:
    """Draw an array and a shape of as many elements."""
    of = shape(draw, empty=False)
    merged = draw(st.integers(0, max(len(of) - 1, 0)))
    whole = [int(np.prod(of[: merged + 1], dtype=int)), *of[merged + 1 :]]
    return given(array(draw, of, any_dtype(draw)), after=([*whole, *[1] * draw(st.integers(0, 2))],))


def broadcast(draw: Draw) -> Drawn:
    """Draw an array and a shape that it can be spread to."""
    of = shape(draw, empty=False)
    wider = [draw(st.integers(1, 4)) if side == 1 else side for side in of]
    return given(array(draw, of, any_dtype(draw)), after=([*[2] * draw(st.integers(0, 1)), *wider],))


def two_axes(draw: Draw) -> Drawn:
    """Draw an array and two of its axes."""
    of = shape(draw, 1)
    return given(array(draw, of, any_dtype(draw)), after=(axis(draw, len(of)), axis(draw, len(of))))


def flattened(draw: Draw) -> Drawn:
    """Draw an array and a run of its axes."""
    of = shape(draw, 1)
    first = draw(st.integers(0, len(of) - 1))
    return given(array(draw, of, any_dtype(draw)), start_axis=first, end_axis=draw(st.integers(first, len(of) - 1)))


def padded(draw: Draw) -> Drawn:
    """Draw an array, widths and a mode."""
    of = shape(draw, 1, side=4, empty=False)
    widths = [[draw(st.integers(0, 2)), draw(st.integers(0, 2))] for _ in of]
    return given(array(draw, of, floating(draw)), after=(widths,), mode=draw(st.sampled_from(("constant", "edge"))))


def of_differences(draw: Draw) -> Drawn:
    """Draw an array and how often neighbours are subtracted."""
    of = shape(draw, 1, empty=False)
    along = axis(draw, len(of))
    return given(array(draw, of, floating(draw)), n=draw(st.integers(0, min(2, of[along] - 1))), axis=along)


def _flatten(a: Any, start_axis: int = 0, end_axis: int = -1) -> Any:
    end = end_axis % max(a.ndim, 1)
    return a.reshape(*a.shape[:start_axis], int(np.prod(a.shape[start_axis : end + 1], dtype=int)), *a.shape[end + 1 :])


def _sections(draw: Draw) -> Drawn:
    of = list(shape(draw, 1, empty=False))
    along, parts = axis(draw, len(of)), draw(st.integers(1, 3))
    of[along] *= parts
    return given(array(draw, tuple(of), any_dtype(draw)), after=(parts,), axis=along)


def _diag(draw: Draw) -> Drawn:
    of = shape(draw, 1, 2, empty=False)
    return given(array(draw, of, floating(draw)), k=draw(st.integers(-2, 2)) if len(of) == 1 else 0)


def _grid(draw: Draw) -> Drawn:
    parts = tuple(array(draw, (draw(st.integers(1, 4)),), "float32") for _ in range(draw(st.integers(1, 3))))
    return given(*parts, indexing=draw(st.sampled_from(("xy", "ij"))), sparse=draw(st.booleans()))


def _squeezed(draw: Draw) -> Drawn:
    of = shape(draw, empty=False)
    return given(array(draw, (1, *of), any_dtype(draw)), axis=0)


def _rolled(draw: Draw) -> Drawn:
    of = shape(draw, 1)
    along = draw(st.sampled_from((None, axis(draw, len(of)))))
    return given(array(draw, of, any_dtype(draw)), after=(draw(st.integers(-4, 4)), along))


def _flipped(draw: Draw) -> Drawn:
    of = shape(draw)
    return given(array(draw, of, any_dtype(draw)), axis=some_axes(draw, len(of)))


def _cast(draw: Draw) -> Drawn:
    return given(array(draw, shape(draw), any_dtype(draw), "positive"), after=({"dtype": any_dtype(draw)},))


def _flip(a: Any, axis: Any = None) -> Any:
    return np.flip(a, tuple(axis) if isinstance(axis, list) else axis)


SMALL = st.integers(-2, 2)
operation("transpose", permuted, np.transpose, exact=True)
operation("reshape", reshaped, np.reshape, exact=True)
operation("flatten", flattened, _flatten, exact=True)
operation("broadcast_to", broadcast, np.broadcast_to, exact=True)
operation("swapaxes", two_axes, np.swapaxes, exact=True)
operation("moveaxis", two_axes, np.moveaxis, exact=True)
operation("expand_dims", with_axis(1), np.expand_dims, exact=True)
operation("squeeze", _squeezed, np.squeeze, exact=True)
operation("flip", _flipped, _flip, exact=True)
operation("roll", _rolled, np.roll, exact=True)
operation("repeat", with_axis(repeats=st.sampled_from((0, 1, 2, 3, 0))), np.repeat, exact=True)
operation("tile", lambda draw: given(array(draw, shape(draw, 1), any_dtype(draw)),
          after=([draw(st.integers(1, 3)) for _ in range(2)],)), np.tile, exact=True)  # fmt: skip
operation("concatenate", joined, np.concatenate, exact=True)
operation("stack", stacked, np.stack, exact=True)
operation("split", _sections, np.split, exact=True, several=True)
operation("unstack", with_axis(), lambda a, axis: [np.take(a, k, axis) for k in range(a.shape[axis])], exact=True,
          several=True)  # fmt: skip
operation("pad", padded, lambda a, widths, mode: np.pad(a, widths, mode=mode), exact=True)
operation("diag", _diag, np.diag, exact=True)
operation("diagonal", with_matrix(offset=SMALL), np.diagonal, exact=True)
operation("trace", with_matrix(offset=SMALL), np.trace, bound=np.trace, accumulates=True)
operation("tril", with_matrix(k=SMALL), np.tril, exact=True)
operation("triu", with_matrix(k=SMALL), np.triu, exact=True)
operation("diff", of_differences, np.diff, accumulates=True)
operation("atleast_1d", lambda draw: given(array(draw, shape(draw))), np.atleast_1d, exact=True)
operation("atleast_2d", lambda draw: given(array(draw, shape(draw))), np.atleast_2d, exact=True)
operation("atleast_3d", lambda draw: given(array(draw, shape(draw))), np.atleast_3d, exact=True)
operation("meshgrid", _grid, np.meshgrid, exact=True, several=True)
operation(
    "matrix_transpose", with_matrix(), np.matrix_transpose if hasattr(np, "matrix_transpose") else None, exact=True
)
operation("contiguous", lambda draw: given(array(draw, shape(draw), any_dtype(draw))), lambda a: a, exact=True)
operation("astype", _cast, None, exact=True, smooth=False)
operation("zeros_like", lambda draw: given(array(draw, shape(draw))), np.zeros_like, exact=True)
operation("ones_like", lambda draw: given(array(draw, shape(draw))), np.ones_like, exact=True)
operation(
    "full_like", lambda draw: given(array(draw, shape(draw)), after=(2.5,)), np.full_like, exact=True, smooth=False
)
operation("broadcast_arrays", lambda draw: given(*(array(draw, one) for one in shapes(draw, 2))),
          np.broadcast_arrays, exact=True, several=True)  # fmt: skip
