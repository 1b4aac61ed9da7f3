"""Sums of products: matrices, tensors, convolutions. Their rounding errors are a share of the same sum of absolutes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from hypothesis import strategies as st

from mlxprobe.fuzz.operations.registry import operation
from mlxprobe.fuzz.strategies import Draw, Drawn, Shape, array, floating, given, inexact, shape

Sides = Callable[[Draw], tuple[Shape, ...]]


def of_shapes(sides: Sides, dtypes: Callable[[Draw], str], **named: Any) -> Callable[[Draw], Drawn]:
    """Return a builder of arrays of one dtype whose shapes fit."""

    def build(draw: Draw) -> Drawn:
        dtype = dtypes(draw)
        return given(*(array(draw, one, dtype) for one in sides(draw)), **named)

    return build


def product(
    name: str, sides: Sides, reference: Callable[..., Any], dtypes: Callable[[Draw], str] = floating, **named: Any
) -> None:
    """Take in a sum of products."""
    operation(name, of_shapes(sides, dtypes, **named), reference, bound=reference, accumulates=True)


def _side(draw: Draw, high: int = 5) -> int:
    return int(draw(st.integers(1, high)))


def _wide(draw: Draw, high: int) -> int:
    """Draw a side that is longer than a kernel's block now and then."""
    return _side(draw, high) if draw(st.integers(0, 5)) else int(draw(st.sampled_from((33, 65, 130))))


def _matrices(draw: Draw) -> tuple[Shape, ...]:
    rows, inner, columns = _wide(draw, 9), _wide(draw, 17), _wide(draw, 9)
    batch = shape(draw, 0, 2, 3, empty=False)
    forms: Sequence[tuple[Shape, ...]] = (
        ((*batch, rows, inner), (*batch, inner, columns)),
        ((*batch, rows, inner), (inner, columns)),
        ((inner,), (*batch, inner, columns)),
        ((*batch, rows, inner), (inner,)),
        ((inner,), (inner,)),
    )
    return forms[int(draw(st.integers(0, len(forms) - 1)))]


def _added(draw: Draw) -> tuple[Shape, ...]:
    rows, inner, columns = _side(draw), _side(draw, 9), _side(draw)
    return (rows, columns), (rows, inner), (inner, columns)


def _lines(draw: Draw) -> tuple[Shape, ...]:
    return (_side(draw),), (_side(draw),)


def _last(draw: Draw) -> tuple[Shape, ...]:
    inner = _side(draw)
    return (*shape(draw, 0, 2, 3, empty=False), inner), (*shape(draw, 0, 2, 3, empty=False), inner)


def _same(draw: Draw) -> tuple[Shape, ...]:
    of = shape(draw, 1, empty=False)
    return of, of


def _squares(draw: Draw) -> tuple[Shape, ...]:
    return (_side(draw, 3), _side(draw, 3)), (_side(draw, 3), _side(draw, 3))


def _inner_pair(draw: Draw) -> tuple[Shape, ...]:
    rows, inner, columns = _side(draw), _side(draw), _side(draw)
    return (rows, inner), (inner, columns)


def _three(draw: Draw) -> Drawn:
    rows, inner, columns = _side(draw), _side(draw), _side(draw)
    words, sides = draw(
        st.sampled_from(
            (
                ("ij,jk->ik", ((rows, inner), (inner, columns))),
                ("ij,kj->ki", ((rows, inner), (columns, inner))),
                ("bij,bjk->bik", ((2, rows, inner), (2, inner, columns))),
                ("ij->ji", ((rows, inner),)),
                ("ij->j", ((rows, inner),)),
                ("i,j->ij", ((rows,), (columns,))),
                ("ij,j->i", ((rows, inner), (inner,))),
                ("ij,jk,k->i", ((rows, inner), (inner, columns), (columns,))),
            )
        )
    )
    dtype = floating(draw)
    arrays = tuple(array(draw, one, dtype) for one in sides)
    return Drawn(arrays, (words, *({"array": k} for k in range(len(arrays)))))


def convolution(axes: int, *, transposed: bool = False) -> Callable[[Draw], Drawn]:
    """Return a builder of an input and a weight of a convolution over so many axes."""

    def build(draw: Draw) -> Drawn:
        groups = draw(st.sampled_from((1, 1, 2))) if axes < 3 and not transposed else 1
        channels, outputs = groups * _side(draw, 3), groups * _side(draw, 3)
        kernel = tuple(_side(draw, 3) for _ in range(axes))
        size = tuple(side + 2 + draw(st.integers(0, 4)) for side in kernel)
        dtype = floating(draw)
        named = {"stride": _side(draw, 2), "padding": draw(st.integers(0, 1)), "dilation": 1}
        if not transposed:
            named |= {"groups": groups, "dilation": _side(draw, 2) if all(side < 3 for side in kernel) else 1}
        return given(
            array(draw, (_side(draw, 2), *size, channels), dtype),
            array(draw, (outputs, *kernel, channels // groups), dtype),
            **named,
        )

    return build


def convolved(a: Any, w: Any, stride: int = 1, padding: int = 0, dilation: int = 1, groups: int = 1) -> Any:
    """Convolve channels-last arrays by adding up what each place of the kernel gives."""
    axes, kernel = a.ndim - 2, w.shape[1:-1]
    a = np.pad(a, [(0, 0), *[(padding, padding)] * axes, (0, 0)])
    size = [(a.shape[k + 1] - dilation * (side - 1) - 1) // stride + 1 for k, side in enumerate(kernel)]
    parts = []
    for group_a, group_w in zip(np.split(a, groups, -1), np.split(w, groups, 0), strict=True):
        found = np.zeros((a.shape[0], *size, group_w.shape[0]))
        for place in np.ndindex(*kernel):
            cut = [
                slice(dilation * p, dilation * p + stride * (n - 1) + 1, stride)
                for p, n in zip(place, size, strict=True)
            ]
            found += group_a[(slice(None), *cut)] @ group_w[(slice(None), *place)].T
        parts.append(found)
    return np.concatenate(parts, -1)


def spread(a: Any, w: Any, stride: int = 1, padding: int = 0, dilation: int = 1) -> Any:
    """Do what a transposed convolution does: every element adds its kernel to the result."""
    kernel = w.shape[1:-1]
    size = [(a.shape[k + 1] - 1) * stride + dilation * (side - 1) + 1 for k, side in enumerate(kernel)]
    found = np.zeros((a.shape[0], *size, w.shape[0]))
    for place in np.ndindex(*kernel):
        cut = [
            slice(dilation * p, dilation * p + stride * (n - 1) + 1, stride)
            for p, n in zip(place, a.shape[1:-1], strict=True)
        ]
        found[(slice(None), *cut)] += a @ w[(slice(None), *place)].T
    middle = [slice(padding, n - padding) for n in size]
    return found[(slice(None), *middle)]


product("matmul", _matrices, np.matmul, inexact)
product("inner", _last, np.inner, inexact)
product("outer", _lines, np.outer, inexact)
product("vecdot", _same, lambda a, b: np.sum(a * b, -1))
product("kron", _squares, np.kron)
product("tensordot", _inner_pair, np.tensordot, axes=1)
product("addmm", _added, lambda c, a, b, alpha, beta: alpha * (a @ b) + beta * c, alpha=0.5, beta=2.0)
product("convolve", _lines, lambda a, v, mode: np.convolve(a, v, mode=mode), mode="full")
operation("einsum", _three, np.einsum, bound=np.einsum, accumulates=True)
for axes in (1, 2, 3):
    operation(f"conv{axes}d", convolution(axes), convolved, bound=convolved, accumulates=True)
    operation(f"conv_transpose{axes}d", convolution(axes, transposed=True), spread, bound=spread, accumulates=True)
