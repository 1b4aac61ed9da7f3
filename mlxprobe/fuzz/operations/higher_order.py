"""Functions of functions, streams, files and the process (`child/known_results.py`), and unkeyed random numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st

from mlxprobe.fuzz.operations.fast import quantization
from mlxprobe.fuzz.operations.registry import Reference, operation, unchanged
from mlxprobe.fuzz.strategies import (
    Arguments,
    Builder,
    Draw,
    any_dtype,
    arguments,
    array,
    integer,
    one_array,
    shape,
    shapes,
)

ALSO = {  # further functions that a case calls, by the function that it is named for
    "value_and_grad": ("grad",),
    "disable_compile": ("enable_compile", "compile"),
    "save": ("load",),
    "savez": ("load",),
    "export_function": ("import_function",),
    "exporter": ("import_function",),
    "stream": ("new_stream",),
    "set_default_stream": ("default_stream", "default_device", "set_default_device", "new_stream"),
    "clear_cache": ("get_cache_memory",),
    "set_cache_limit": ("get_memory_limit", "set_memory_limit"),
    "reset_peak_memory": ("get_peak_memory",),
    "fft.istft": ("fft.stft",),
}
AT_ONCE: dict[str, Any] = {"smooth": False, "without": ("vmap", "compiled", "grows")}
QUERY: dict[str, Any] = {"smooth": False, "exact": True, "without": ("vmap",)}
FILED: dict[str, Any] = AT_ONCE | {"exact": True}
CATEGORIES = ("floating", "integer", "inexact", "number", "signedinteger", "generic")
KINDS = {"bool": "b", "signed integer": "i", "unsigned integer": "u", "integral": "iu", "real floating": "f",
         "numeric": "iuf"}  # fmt: skip
NOT_EMPTY = one_array(empty=False)


def _gguf(draw: Draw) -> Arguments:
    dtypes = ("float32", "float16", "int8", "int16", "int32")  # GGUF has no others
    return arguments(array(draw, shape(draw, 1, empty=False), draw(st.sampled_from(dtypes))))


def _numpy_file(draw: Draw) -> Arguments:  # NumPy's files do not know bfloat16
    dtype = draw(st.sampled_from(("float32", "float16", "bool", integer(draw))))
    return arguments(array(draw, shape(draw), dtype))


def _two(draw: Draw) -> Arguments:
    return arguments(array(draw, shape(draw, 0, 1), any_dtype(draw)), array(draw, (), any_dtype(draw)))


def _with_word(*words: str) -> Builder:
    def build(draw: Draw) -> Arguments:
        dtype = draw(st.sampled_from(("float32", "float16", integer(draw))))
        return arguments(array(draw, (2,), dtype), after=(draw(st.sampled_from(words)),))

    return build


def _shapes(draw: Draw) -> Arguments:
    return arguments(after=tuple(list(one) for one in shapes(draw, draw(st.integers(2, 3)))))


def _broadcast_shapes(*dims: Any) -> Any:
    return np.array([len(dims), *np.broadcast_shapes(*map(tuple, dims))])


def _wave(a: Any) -> Any:
    return a * np.sin(a)


def _slope(a: Any) -> Any:
    return np.sin(a) + a * np.cos(a)


def _einsum_path(draw: Draw) -> Arguments:
    sides = [draw(st.integers(1, 4)) for _ in range(4)]
    parts = tuple(array(draw, (sides[k], sides[k + 1])) for k in range(3))
    return Arguments(parts, ("ij,jk,kl->il", *({"array": k} for k in range(3))))


def _unique_arguments(draw: Draw) -> Arguments:
    dtype = draw(st.sampled_from(("int8", "int32", "uint16")))
    return arguments(array(draw, shape(draw, 1, empty=False), dtype), size=draw(st.integers(1, 9)), return_counts=True)


def _unique(a: Any, size: int, **_: Any) -> Any:
    values, counts = np.unique(a, return_counts=True)
    missing = max(size - len(values), 0)  # the rest of the result is the first value, with a count of 0
    return np.pad(values, (0, missing), constant_values=values[0])[:size], np.pad(counts, (0, missing))[:size]


def _quantized_layer(draw: Draw) -> Arguments:
    named = quantization(draw)
    return arguments(array(draw, (draw(st.integers(1, 5)), 64)), **named)


def _zeros(width: int) -> Reference:
    return lambda x, **_: np.zeros((len(x), width))


def _inputs(low: int, rows: int, columns: int, **named: Any) -> Builder:
    """Return a builder of a matrix from `low` to `rows` and `columns` long."""
    return lambda draw: arguments(array(draw, (draw(st.integers(low, rows)), draw(st.integers(low, columns)))), **named)


def _updates(draw: Draw) -> Arguments:
    dims = shape(draw, 1, 2, 4, empty=False)
    return arguments(*(array(draw, dims) for _ in range(3)))


for name in ("checkpoint", "compile"):
    operation(name, NOT_EMPTY, _wave)
operation("grad", NOT_EMPTY, _slope)
operation("value_and_grad", NOT_EMPTY, lambda a: (np.sum(_wave(a)), _slope(a)), accumulates=True, several=True)
for name in ("disable_compile", "export_function", "exporter"):
    operation(name, NOT_EMPTY, _wave, **AT_ONCE)
for name in ("empty", "empty_like"):
    operation(name, one_array("real", any_dtype, empty=False), np.zeros_like, **QUERY)
operation("broadcast_shapes", _shapes, _broadcast_shapes, **QUERY)
for name in ("result_type", "can_cast"):
    operation(name, _two, lambda *_: True, **QUERY)
operation("issubdtype", _with_word(*CATEGORIES), lambda a, kind: np.issubdtype(a.dtype, getattr(np, kind)), **QUERY)
operation("isdtype", _with_word(*KINDS), lambda a, kind: a.dtype.kind in KINDS[kind], **QUERY)
operation("einsum_path", _einsum_path, lambda *_: 2, **QUERY)
for name in ("save", "savez", "savez_compressed"):
    operation(name, _numpy_file, unchanged, **FILED)
operation("save_safetensors", one_array("real", any_dtype, empty=False), unchanged, **FILED)
operation("save_gguf", _gguf, unchanged, **FILED)
operation("export_to_dot", NOT_EMPTY, lambda _: 2, **FILED)
for name in ("stream", "set_default_stream", "async_eval"):
    operation(name, NOT_EMPTY, np.square, **AT_ONCE)
operation("clear_cache", NOT_EMPTY, lambda a: (np.square(a), 0), several=True, **AT_ONCE)
operation("set_cache_limit", NOT_EMPTY, lambda a: (np.square(a), True), several=True, **AT_ONCE)
operation("reset_peak_memory", NOT_EMPTY, lambda _: True, **FILED)
operation("depends", one_array("real", any_dtype, empty=False), unchanged, exact=True)
operation("from_dlpack", one_array("real", any_dtype, empty=False), unchanged, **FILED)
operation(
    "random.key",
    lambda draw: arguments(after=(draw(st.integers(0, 2**40)),)),
    lambda seed: np.array([seed >> 32, seed % 2**32]),
    **QUERY,
)
operation(
    "random.seed",
    lambda draw: arguments(after=(draw(st.integers(0, 999)), list(shape(draw)))),
    lambda _, dims: np.zeros(dims),
    **FILED,
)
operation("unique", _unique_arguments, _unique, exact=True, smooth=False, several=True)
operation(
    "nn.quantize",
    _quantized_layer,
    _zeros(32),
    bound=lambda x, **_: np.full((len(x), 32), np.sum(x)),
    accumulates=True,
    smooth=False,
)
for name in ("nn.fully_shard", "nn.FullyShardedModule"):
    operation(name, _inputs(1, 5, 9), _zeros(4), exact=True, smooth=False)
operation(
    "nn.average_gradients",
    lambda draw: arguments(array(draw, shape(draw)), array(draw, shape(draw))),
    lambda a, b: (a, b),
    exact=True,
    smooth=False,
    several=True,
)
operation(
    "optimizers.MultiOptimizer",
    _updates,
    lambda a, b, _: (np.zeros_like(a), np.zeros_like(b)),
    exact=True,
    smooth=False,
    several=True,
)
UNKEYED: dict[str, Any] = {"smooth": False, "without": ("vmap", "compiled", "copy")}
for name in ("glorot_normal", "glorot_uniform", "he_normal", "he_uniform", "normal", "orthogonal", "uniform"):
    operation(f"init.{name}", _inputs(2, 6, 6), accumulates=True, **UNKEYED)
operation("init.sparse", _inputs(2, 6, 6, sparsity=0.5), **UNKEYED)
