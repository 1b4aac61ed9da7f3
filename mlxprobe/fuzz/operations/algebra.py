"""Linear algebra, Fourier transforms and norms."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import strategies as st

from mlxprobe.fuzz.operations.registry import ALONE, operation, same_in_numpy, unchanged
from mlxprobe.fuzz.strategies import Arguments, Builder, Draw, arguments, array, axis, shape, some_axes


def matrix(kind: str, *, square: bool = True, **named: Any) -> Builder:
    """Return a builder of matrices of a kind, in float32: LAPACK has no half precision."""

    def build(draw: Draw) -> Arguments:
        rows = draw(st.integers(1, 5))
        columns = rows if square else draw(st.integers(1, 5))
        batch = shape(draw, 0, 1, 3, empty=False)
        return arguments(array(draw, (*batch, rows, columns), "float32", kind), **named)

    return build


def _linear_system(kind: str, **named: Any) -> Builder:
    def build(draw: Draw) -> Arguments:
        size, right = draw(st.integers(1, 5)), draw(st.integers(1, 3))
        batch = shape(draw, 0, 1, 3, empty=False)
        return arguments(
            array(draw, (*batch, size, size), "float32", kind), array(draw, (*batch, size, right)), **named
        )

    return build


def _norm_arguments(draw: Draw) -> Arguments:
    dims = shape(draw, 1, empty=False)
    whole = draw.of("kept", "any", "any", "any") == "kept"
    along: Any = None if whole else draw(st.sampled_from((None, axis(draw, len(dims)))))
    order = draw(st.sampled_from((None, 1, 2, 3, "inf"))) if along is not None else None
    kind = "distinct" if order == "inf" else "real"
    values = array(draw, dims, "float32", kind)
    return arguments(values, after=(order,), axis=along, keepdims=whole or draw(st.booleans()))


def _norm(a: Any, order: Any = None, axis: Any = None, keepdims: bool = False) -> Any:
    order = np.inf if order == "inf" else order
    found = np.linalg.norm(a if axis is not None else a.reshape(-1), order, axis, keepdims)
    return found.reshape([1] * a.ndim) if keepdims and axis is None else found


def _matrix_norm_arguments(draw: Draw) -> Arguments:
    dims = shape(draw, 2, 2, empty=False)
    order = st.sampled_from(("fro", 1, -1, "nuc"))
    return arguments(array(draw, dims), ord=draw(order), keepdims=draw(st.booleans()))


def _matrix_norm(a: Any, ord: Any, keepdims: bool) -> Any:  # noqa: A002 - MLX's name
    return np.linalg.norm(a, ord=ord, axis=(-2, -1), keepdims=keepdims)


def _cross(draw: Draw) -> Arguments:
    batch = shape(draw, 0, 2, 3, empty=False)
    return arguments(array(draw, (*batch, 3)), array(draw, (*batch, 3)))


def _inverse_of_product(a: Any) -> Any:
    return np.linalg.inv(a @ a.swapaxes(-1, -2))


def transform(dtype: str = "complex64", *, or_real: bool = False) -> Builder:
    """Return a builder of an array and the axis along which it is transformed."""

    def build(draw: Draw) -> Arguments:
        dims = shape(draw, 1, 3, 7, empty=False)
        along = axis(draw, len(dims))
        length = draw(st.sampled_from((None, dims[along], dims[along] + 2)))
        norm = draw(st.sampled_from(("backward", "ortho", "forward")))
        drawn = "float32" if or_real and draw(st.booleans()) else dtype
        return arguments(array(draw, dims, drawn), n=length, axis=along, norm=norm)

    return build


def transform_axes(dtype: str = "complex64", low: int = 1, *, or_real: bool = False) -> Builder:
    """Return a builder of an array and the axes along which it is transformed."""

    def build(draw: Draw) -> Arguments:
        dims = shape(draw, low, 3, 6, empty=False)
        axes = list(draw(st.permutations(range(len(dims)))))[: 2 if low == 2 else draw(st.integers(1, len(dims)))]
        return arguments(array(draw, dims, "float32" if or_real and draw(st.booleans()) else dtype), axes=axes)

    return build


def _sum_of_all(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return the bound of a transform: its elements are sums, at most as large as all absolute values together."""
    return lambda a, **named: np.full(function(a, **named).shape, np.sum(np.abs(a)))


def _shifted(draw: Draw) -> Arguments:
    dims = shape(draw, 1, empty=False)
    return arguments(array(draw, dims), axes=some_axes(draw, len(dims)))


def _frequencies(draw: Draw) -> Arguments:
    return arguments(after=(draw(st.integers(1, 9)),), d=draw(st.sampled_from((1.0, 0.5))))


def _stft_arguments(draw: Draw) -> Arguments:
    length = 2 * draw(st.integers(1, 4))
    hop = draw(st.integers(1, length // 2))
    dims = (*shape(draw, 0, 1, 3, empty=False), length + hop * draw(st.integers(0, 4)))
    return arguments(array(draw, dims), n_fft=length, hop_length=hop, center=False)


def _stft(a: Any, n_fft: int, hop_length: int, center: bool) -> Any:
    frames = np.lib.stride_tricks.sliding_window_view(a, n_fft, -1)[..., ::hop_length, :]
    return np.swapaxes(np.fft.rfft(frames, axis=-1), -1, -2)


def _istft_arguments(draw: Draw) -> Arguments:
    length = 2 * draw(st.integers(1, 4))
    dims = (*shape(draw, 0, 1, 3, empty=False), 2 * length + draw(st.integers(0, 9)))
    return arguments(array(draw, dims), n_fft=length, hop_length=draw(st.integers(1, length // 2)))


UNORDERED: dict[str, Any] = {"without": ("other side",), "smooth": False}  # vectors have either sign, values any order
same_in_numpy("linalg.inv linalg.det", matrix("regular"), accumulates=True)
same_in_numpy("linalg.pinv", matrix("regular", square=False), accumulates=True)
same_in_numpy("linalg.slogdet", matrix("regular"), accumulates=True, several=True)
same_in_numpy("linalg.cholesky", matrix("spd"), accumulates=True)
operation("linalg.cholesky_inv", matrix("lower"), _inverse_of_product, accumulates=True)
operation("linalg.tri_inv", matrix("lower"), np.linalg.inv, accumulates=True)
same_in_numpy("linalg.eigvalsh", matrix("symmetric"), accumulates=True)
operation("linalg.eigvals", matrix("regular"), accumulates=True, **UNORDERED)
operation("linalg.eigh", matrix("symmetric"), accumulates=True, several=True, **UNORDERED)
operation("linalg.eig", matrix("regular"), accumulates=True, **UNORDERED)
operation("linalg.qr", matrix("regular", square=False), accumulates=True, several=True, **UNORDERED)
same_in_numpy("linalg.svd", matrix("regular", square=False, compute_uv=False), accumulates=True)
operation("linalg.lu", matrix("regular"), accumulates=True, several=True, **UNORDERED)
operation("linalg.lu_factor", matrix("regular"), accumulates=True, **UNORDERED)
same_in_numpy("linalg.solve", _linear_system("regular"), accumulates=True)
operation(
    "linalg.solve_triangular",
    _linear_system("lower", upper=False),
    lambda a, b, upper: np.linalg.solve(a, b),
    accumulates=True,
)
operation("linalg.norm", _norm_arguments, _norm, accumulates=True)
operation("matrix_norm", _matrix_norm_arguments, _matrix_norm, accumulates=True, smooth=False)
operation("linalg.cross", _cross, np.cross, bound=lambda a, b: np.full_like(a, np.max(a) * np.max(b)), accumulates=True)

for name, dtype, or_real in (
    ("fft", "complex64", True), ("ifft", "complex64", True), ("irfft", "complex64", False), ("rfft", "float32", False)
):  # fmt: skip
    for more, build in (
        ("", transform(dtype, or_real=or_real)),
        ("2", transform_axes(dtype, low=2, or_real=or_real)),
        ("n", transform_axes(dtype, or_real=or_real)),
    ):
        function = getattr(np.fft, name + more)
        operation(f"fft.{name}{more}", build, function, bound=_sum_of_all(function), accumulates=True)
same_in_numpy("fft.fftshift fft.ifftshift", _shifted, exact=True)
same_in_numpy("fft.fftfreq fft.rfftfreq", _frequencies, **ALONE)
operation("fft.stft", _stft_arguments, _stft, bound=_sum_of_all(_stft), accumulates=True)
operation("fft.istft", _istft_arguments, unchanged, bound=_sum_of_all(unchanged), accumulates=True)
