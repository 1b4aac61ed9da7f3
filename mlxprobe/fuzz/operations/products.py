"""Sums of products: matrices, tensors, convolutions. Their rounding errors are a share of the same sum of absolutes."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from hypothesis import strategies as st

from mlxprobe.fuzz.operations.registry import Reference, operation
from mlxprobe.fuzz.strategies import Arguments, Builder, Draw, Shape, arguments, array, floating, inexact, shape

Sides = Callable[[Draw], tuple[Shape, ...]]
BLOCK = 32  # side of a tile of `block_masked_mm`


def product(
    name: str, sides: Sides, reference: Reference, dtypes: Callable[[Draw], str] = floating, **named: Any
) -> None:
    """Register a sum of products of arrays of one dtype whose shapes fit."""

    def build(draw: Draw) -> Arguments:
        dtype = dtypes(draw)
        return arguments(*(array(draw, one, dtype) for one in sides(draw)), **named)

    operation(name, build, reference, bound=reference, accumulates=True)


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
    dims = shape(draw, 1, empty=False)
    return dims, dims


def _squares(draw: Draw) -> tuple[Shape, ...]:
    return (_side(draw, 3), _side(draw, 3)), (_side(draw, 3), _side(draw, 3))


def _inner_pair(draw: Draw) -> tuple[Shape, ...]:
    rows, inner, columns = _side(draw), _side(draw), _side(draw)
    return (rows, inner), (inner, columns)


def _einsum(draw: Draw) -> Arguments:
    i, j, k = _side(draw), _side(draw), _side(draw)
    forms = (
        ("ij,jk->ik", ((i, j), (j, k))),
        ("ij,kj->ki", ((i, j), (k, j))),
        ("bij,bjk->bik", ((2, i, j), (2, j, k))),
        ("ij->ji", ((i, j),)),
        ("ij->j", ((i, j),)),
        ("i,j->ij", ((i,), (k,))),
        ("ij,j->i", ((i, j), (j,))),
        ("ij,jk,k->i", ((i, j), (j, k), (k,))),
    )
    form, sides = draw(st.sampled_from(forms))
    dtype = floating(draw)
    arrays = tuple(array(draw, one, dtype) for one in sides)
    return Arguments(arrays, (form, *({"array": k} for k in range(len(arrays)))))


def _gather_mm_arguments(draw: Draw) -> Arguments:
    many, rows, inner, columns, few = (_side(draw, high) for high in (3, 4, 9, 4, 5))
    dtype = floating(draw)
    factors = (array(draw, (many, rows, inner), dtype), array(draw, (many, inner, columns), dtype))
    indices = tuple(array(draw, (few,), "uint32", "index", bound=many) for _ in range(2))
    named = {"lhs_indices": {"array": 2}, "rhs_indices": {"array": 3}}
    return Arguments(factors + indices, ({"array": 0}, {"array": 1}), named)


def gather_mm(a: Any, b: Any, lhs_indices: Any, rhs_indices: Any) -> Any:
    """Multiply chosen matrices."""
    return a[lhs_indices] @ b[rhs_indices]


def _segmented(draw: Draw) -> Arguments:
    rows, inner, columns = _side(draw, 4), _side(draw, 9), _side(draw, 4)
    edges = sorted(draw(st.lists(st.integers(0, inner), min_size=2, max_size=4)))
    segments = {"whole": [[*pair] for pair in itertools.pairwise(edges)]}
    return arguments(array(draw, (rows, inner)), array(draw, (inner, columns)), after=(segments,))


def _segmented_mm(a: Any, b: Any, segments: Any) -> Any:
    return np.stack([a[:, first:last] @ b[first:last] for first, last in segments])


def _masked(draw: Draw) -> Arguments:
    rows, inner, columns = (_side(draw, 70) for _ in range(3))
    tiles = [-(-side // BLOCK) for side in (rows, inner, columns)]
    factors = (array(draw, (rows, inner)), array(draw, (inner, columns)))
    masks = tuple(array(draw, (tiles[i], tiles[j]), "bool") for i, j in ((0, 2), (0, 1), (1, 2)))
    named = {f"mask_{name}": {"array": 2 + k} for k, name in enumerate(("out", "lhs", "rhs"))}
    return Arguments(factors + masks, ({"array": 0}, {"array": 1}, BLOCK), named)


def _block_masked_mm(a: Any, b: Any, block: int, mask_out: Any, mask_lhs: Any, mask_rhs: Any) -> Any:
    def spread(mask: Any, dims: Any) -> Any:
        return np.repeat(np.repeat(mask, block, 0), block, 1)[: dims[0], : dims[1]]

    return (a * spread(mask_lhs, a.shape)) @ (b * spread(mask_rhs, b.shape)) * spread(mask_out, (len(a), b.shape[1]))


def convolution(axes: int, *, transposed: bool = False) -> Builder:
    """Return a builder of an input and a weight of a convolution over `axes` axes."""

    def build(draw: Draw) -> Arguments:
        groups = draw(st.sampled_from((1, 1, 2))) if axes < 3 and not transposed else 1
        channels, outputs = groups * _side(draw, 3), groups * _side(draw, 3)
        kernel = tuple(_side(draw, 3) for _ in range(axes))
        size = tuple(side + 2 + draw(st.integers(0, 4)) for side in kernel)
        dtype = floating(draw)
        named = {"stride": _side(draw, 2), "padding": draw(st.integers(0, 1)), "dilation": 1}
        if not transposed:
            named |= {"groups": groups, "dilation": _side(draw, 2) if all(side < 3 for side in kernel) else 1}
        return arguments(
            array(draw, (_side(draw, 2), *size, channels), dtype),
            array(draw, (outputs, *kernel, channels // groups), dtype),
            **named,
        )

    return build


def _window(place: tuple[int, ...], size: Any, stride: int, dilation: int) -> tuple[slice, ...]:
    """Return the elements that one place of the kernel meets, along all axes of the convolution."""
    begins = (dilation * one for one in place)
    return tuple(slice(first, first + stride * (n - 1) + 1, stride) for first, n in zip(begins, size, strict=True))


def convolved(
    a: Any, w: Any, stride: int = 1, padding: int = 0, dilation: int = 1, groups: int = 1, flip: bool = False
) -> Any:
    """Convolve channels-last arrays by adding up the product of each place of the kernel."""
    axes, kernel = a.ndim - 2, w.shape[1:-1]
    w = np.flip(w, tuple(range(1, w.ndim - 1))) if flip else w
    a = np.pad(a, [(0, 0), *[(padding, padding)] * axes, (0, 0)])
    size = [(a.shape[k + 1] - dilation * (side - 1) - 1) // stride + 1 for k, side in enumerate(kernel)]
    parts = []
    for group_a, group_w in zip(np.split(a, groups, -1), np.split(w, groups, 0), strict=True):
        found = np.zeros((a.shape[0], *size, group_w.shape[0]))
        for place in np.ndindex(*kernel):
            window = _window(place, size, stride, dilation)
            found += group_a[(slice(None), *window)] @ group_w[(slice(None), *place)].T
        parts.append(found)
    return np.concatenate(parts, -1)


def transposed_convolved(a: Any, w: Any, stride: int = 1, padding: int = 0, dilation: int = 1) -> Any:
    """Convolve transposed: every element adds its kernel to the result."""
    kernel = w.shape[1:-1]
    size = [(a.shape[k + 1] - 1) * stride + dilation * (side - 1) + 1 for k, side in enumerate(kernel)]
    found = np.zeros((a.shape[0], *size, w.shape[0]))
    for place in np.ndindex(*kernel):
        found[(slice(None), *_window(place, a.shape[1:-1], stride, dilation))] += a @ w[(slice(None), *place)].T
    middle = [slice(padding, n - padding) for n in size]
    return found[(slice(None), *middle)]


def _flipped_convolution(draw: Draw) -> Arguments:
    axes = draw(st.integers(1, 2))
    channels, outputs = _side(draw, 3), _side(draw, 3)
    kernel = tuple(_side(draw, 3) for _ in range(axes))
    size = tuple(side + draw(st.integers(2, 5)) for side in kernel)
    named = {"stride": _side(draw, 2), "padding": draw(st.integers(0, 1)), "flip": draw(st.booleans())}
    dtype = floating(draw)
    values = array(draw, (2, *size, channels), dtype)
    return arguments(values, array(draw, (outputs, *kernel, channels), dtype), **named)


product("matmul", _matrices, np.matmul, inexact)
product("inner", _last, np.inner, inexact)
product("outer", _lines, np.outer, inexact)
product("vecdot", _same, lambda a, b: np.sum(a * b, -1))
product("kron", _squares, np.kron)
product("tensordot", _inner_pair, np.tensordot, axes=1)
product("addmm", _added, lambda c, a, b, alpha, beta: alpha * (a @ b) + beta * c, alpha=0.5, beta=2.0)
product("convolve", _lines, lambda a, v, mode: np.convolve(a, v, mode=mode), mode="full")
operation("einsum", _einsum, np.einsum, bound=np.einsum, accumulates=True)
operation("gather_mm", _gather_mm_arguments, gather_mm, bound=gather_mm, accumulates=True, smooth=(0, 1))
operation("segmented_mm", _segmented, _segmented_mm, bound=_segmented_mm, accumulates=True)
operation("block_masked_mm", _masked, _block_masked_mm, bound=_block_masked_mm, accumulates=True, smooth=(0, 1))
operation("conv_general", _flipped_convolution, convolved, bound=convolved, accumulates=True)
for axes in (1, 2, 3):
    operation(f"conv{axes}d", convolution(axes), convolved, bound=convolved, accumulates=True)
    transposed = convolution(axes, transposed=True)
    reference = transposed_convolved
    operation(f"conv_transpose{axes}d", transposed, reference, bound=reference, accumulates=True)
