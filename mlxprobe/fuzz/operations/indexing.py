"""Functions that take elements by index, and put them."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st

from mlxprobe.fuzz.operations.registry import operation
from mlxprobe.fuzz.strategies import Draw, Drawn, any_dtype, array, axis, floating, given, shape


def _taken(draw: Draw) -> Drawn:
    of = shape(draw, 1, empty=False)
    along = axis(draw, len(of))
    places = array(
        draw, shape(draw, 0, 2), draw(st.sampled_from(("int32", "uint32", "int64"))), "index", bound=of[along]
    )
    return given(array(draw, of, any_dtype(draw)), places, axis=along)


def _along(draw: Draw) -> Drawn:
    of = shape(draw, 1, empty=False)
    along = axis(draw, len(of))
    many = list(of)
    many[along] = draw(st.integers(1, 6))
    return given(
        array(draw, of, floating(draw)), array(draw, tuple(many), "int32", "index", bound=of[along]), axis=along
    )


def _put(draw: Draw) -> Drawn:
    size, few = draw(st.integers(2, 6)), draw(st.integers(1, 2))
    dtype = floating(draw)
    return given(array(draw, (size,), dtype), array(draw, (few,), "int32", "unique", bound=size),
                 array(draw, (few,), dtype), axis=0)  # fmt: skip


def _put_reference(a: Any, places: Any, values: Any, axis: int) -> Any:
    found = a.copy()
    np.put_along_axis(found, places, values, axis)
    return found


def _sliced(draw: Draw) -> Drawn:
    of = shape(draw, 1, empty=False)
    edge = st.one_of(st.none(), st.integers(-6, 6))
    parts = [{"slice": [draw(edge), draw(edge), draw(st.sampled_from((None, 1, 2, -1, -2)))]} for _ in of]
    return given(array(draw, of, any_dtype(draw)), after=(parts,))


def _gathered(draw: Draw) -> Drawn:
    of = shape(draw, 1, empty=False)
    return given(array(draw, of, any_dtype(draw)), array(draw, shape(draw, 0, 2), "int32", "index", bound=of[0]))


def _added(draw: Draw) -> Drawn:
    size, width, many = draw(st.integers(1, 5)), draw(st.integers(1, 4)), draw(st.integers(1, 6))
    dtype = floating(draw)
    return given(array(draw, (size, width), dtype), array(draw, (many,), "int32", "index", bound=size),
                 array(draw, (many, width), dtype))  # fmt: skip


def _added_reference(a: Any, places: Any, values: Any) -> Any:
    found = a.copy()
    np.add.at(found, places, values)
    return found


operation("take", _taken, np.take, exact=True, smooth=(0,))
operation("take_along_axis", _along, np.take_along_axis, exact=True, smooth=(0,))
operation("put_along_axis", _put, _put_reference, exact=True, smooth=(0, 2))
operation("[]", _sliced, lambda a, parts: a[tuple(slice(*one["slice"]) for one in parts)], exact=True)
operation("array.__getitem__", _gathered, lambda a, places: a[places], exact=True, smooth=(0,))
operation("at[].add", _added, _added_reference, bound=_added_reference, accumulates=True, smooth=(0, 2))
