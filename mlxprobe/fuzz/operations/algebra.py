"""Linear algebra and Fourier transforms."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import strategies as st

from mlxprobe.fuzz.operations.registry import operation, operations
from mlxprobe.fuzz.strategies import Draw, Drawn, array, axis, given, shape, some_axes


def of_matrix(kind: str, *, square: bool = True, **named: Any) -> Callable[[Draw], Drawn]:
    """Return a builder of matrices of a kind, in float32: LAPACK has no half precision."""

    def build(draw: Draw) -> Drawn:
        rows = draw(st.integers(1, 5))
        columns = rows if square else draw(st.integers(1, 5))
        batch = shape(draw, 0, 1, 3, empty=False)
        return given(array(draw, (*batch, rows, columns), "float32", kind), **named)

    return build


def _system(kind: str, **named: Any) -> Callable[[Draw], Drawn]:
    def build(draw: Draw) -> Drawn:
        size, right = draw(st.integers(1, 5)), draw(st.integers(1, 3))
        batch = shape(draw, 0, 1, 3, empty=False)
        return given(array(draw, (*batch, size, size), "float32", kind), array(draw, (*batch, size, right)), **named)

    return build


def _measured(draw: Draw) -> Drawn:
    of = shape(draw, 1, empty=False)
    whole = draw.of("kept", "any", "any", "any") == "kept"
    along: Any = None if whole else draw(st.sampled_from((None, axis(draw, len(of)))))
    order = draw(st.sampled_from((None, 1, 2, 3, float("inf")))) if along is not None else None
    order = "inf" if order == float("inf") else order
    kind = "distinct" if order == "inf" else "real"
    return given(array(draw, of, "float32", kind), after=(order,), axis=along, keepdims=whole or draw(st.booleans()))


def _norm(a: Any, order: Any = None, axis: Any = None, keepdims: bool = False) -> Any:
    found = np.linalg.norm(
        a if axis is not None else a.reshape(-1), np.inf if order == "inf" else order, axis, keepdims
    )
    return found.reshape([1] * a.ndim) if keepdims and axis is None else found


def _cross(draw: Draw) -> Drawn:
    batch = shape(draw, 0, 2, 3, empty=False)
    return given(array(draw, (*batch, 3)), array(draw, (*batch, 3)))


def _batched(function: Callable[[Any], Any]) -> Callable[..., Any]:
    def reference(a: Any, **_: Any) -> Any:
        many = [function(one) for one in a.reshape(-1, *a.shape[-2:])]
        return np.stack(many).reshape(*a.shape[:-2], *many[0].shape)

    return reference


def transform(kind: str = "complex64", *, real_too: bool = False) -> Callable[[Draw], Drawn]:
    """Return a builder of an array and the axis along which it is transformed."""

    def build(draw: Draw) -> Drawn:
        of = shape(draw, 1, 3, 7, empty=False)
        along = axis(draw, len(of))
        length = draw(st.sampled_from((None, of[along], of[along] + 2)))
        norm = draw(st.sampled_from(("backward", "ortho", "forward")))
        dtype = "float32" if real_too and draw(st.booleans()) else kind
        return given(array(draw, of, dtype), n=length, axis=along, norm=norm)

    return build


def several(kind: str = "complex64", low: int = 1, *, real_too: bool = False) -> Callable[[Draw], Drawn]:
    """Return a builder of an array and the axes along which it is transformed."""

    def build(draw: Draw) -> Drawn:
        of = shape(draw, low, 3, 6, empty=False)
        axes = list(draw(st.permutations(range(len(of)))))[: 2 if low == 2 else draw(st.integers(1, len(of)))]
        return given(array(draw, of, "float32" if real_too and draw(st.booleans()) else kind), axes=axes)

    return build


def _sum_of(function: Callable[..., Any]) -> Callable[..., Any]:
    """A transform's elements are sums, at most as large as all absolute values together."""
    return lambda a, **named: np.full(function(a, **named).shape, np.sum(np.abs(a)))


def _shifted(draw: Draw) -> Drawn:
    of = shape(draw, 1, empty=False)
    return given(array(draw, of), axes=some_axes(draw, len(of)))


FREE: dict[str, Any] = {"without": ("other side",)}  # vectors have either sign, values any order
operation("linalg.inv", of_matrix("regular"), np.linalg.inv, accumulates=True)
operation("linalg.pinv", of_matrix("regular", square=False), np.linalg.pinv, accumulates=True)
operation("linalg.det", of_matrix("regular"), np.linalg.det, accumulates=True)
operation("linalg.slogdet", of_matrix("regular"), np.linalg.slogdet, accumulates=True, several=True)
operation("linalg.cholesky", of_matrix("spd"), np.linalg.cholesky, accumulates=True)
operation("linalg.cholesky_inv", of_matrix("lower"), _batched(lambda one: np.linalg.inv(one @ one.T)), accumulates=True)
operation("linalg.tri_inv", of_matrix("lower"), np.linalg.inv, accumulates=True)
operation("linalg.eigvalsh", of_matrix("symmetric"), np.linalg.eigvalsh, accumulates=True)
operation("linalg.eigvals", of_matrix("regular"), None, smooth=False, accumulates=True, **FREE)
operation("linalg.eigh", of_matrix("symmetric"), None, smooth=False, accumulates=True, several=True, **FREE)
operation("linalg.eig", of_matrix("regular"), None, smooth=False, accumulates=True, **FREE)
operation("linalg.qr", of_matrix("regular", square=False), None, smooth=False, accumulates=True, several=True, **FREE)
operation("linalg.svd", of_matrix("regular", square=False, compute_uv=False),
          lambda a, compute_uv: np.linalg.svd(a, compute_uv=compute_uv), accumulates=True)  # fmt: skip
operation("linalg.lu", of_matrix("regular"), None, smooth=False, accumulates=True, several=True, **FREE)
operation("linalg.lu_factor", of_matrix("regular"), None, smooth=False, accumulates=True, **FREE)
operation("linalg.solve", _system("regular"), np.linalg.solve, accumulates=True)
operation(
    "linalg.solve_triangular",
    _system("lower", upper=False),
    lambda a, b, upper: np.linalg.solve(a, b),
    accumulates=True,
)
operation("linalg.norm", _measured, _norm, accumulates=True)
operation("linalg.cross", _cross, np.cross, bound=lambda a, b: np.full_like(a, np.max(a) * np.max(b)), accumulates=True)

COMPLEX = ("fft", "ifft", "irfft")
for name in COMPLEX:
    one, two, many = (getattr(np.fft, name + more) for more in ("", "2", "n"))
    real_too = name != "irfft"
    operation(f"fft.{name}", transform(real_too=real_too), one, bound=_sum_of(one), accumulates=True)
    operation(f"fft.{name}2", several(real_too=real_too, low=2), two, bound=_sum_of(two), accumulates=True)
    operation(f"fft.{name}n", several(real_too=real_too), many, bound=_sum_of(many), accumulates=True)
operation("fft.rfft", transform("float32"), np.fft.rfft, bound=_sum_of(np.fft.rfft), accumulates=True)
operation("fft.rfft2", several("float32", low=2), np.fft.rfft2, bound=_sum_of(np.fft.rfft2), accumulates=True)
operation("fft.rfftn", several("float32"), np.fft.rfftn, bound=_sum_of(np.fft.rfftn), accumulates=True)
operations((("fft.fftshift", np.fft.fftshift), ("fft.ifftshift", np.fft.ifftshift)), _shifted, exact=True)
