"""From a case's data to MLX's arrays and calls, and from what comes out to numbers."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from typing import Any

import mlx.core as mx
import numpy as np

from mlxprobe.fuzz.child import layouts
from mlxprobe.fuzz.child.arguments import called
from mlxprobe.fuzz.child.array_codec import packed, unpacked
from mlxprobe.fuzz.child.known_results import KNOWN_RESULTS

Function = Callable[..., list[Any]]
ROOMS = ("nn", "init", "optimizers", "train")
QUANTIZED: dict[str, Callable[[Any, Any, dict[str, Any]], Any]] = {  # what they take is what `quantize` gives
    "dequantize": lambda given, _, how: mx.dequantize(*mx.quantize(given[0], **how), **how),
    "quantized_matmul": lambda given, transpose, how: mx.quantized_matmul(
        given[0], *mx.quantize(given[1], **how), transpose=transpose, **how
    ),
}


def _dtype(name: str) -> Any:
    return mx.bool_ if name == "bool" else getattr(mx, name)


CONVERT: dict[str, Callable[[Any], Any]] = {
    "slice": lambda limits: slice(*limits),
    "whole": lambda numbers: mx.array(numbers, dtype=mx.int32),
    "dtype": _dtype,
}


def values_of(array: dict[str, Any]) -> Any:
    """Return an array's contents for NumPy."""
    wide = unpacked(array["values"], array["dtype"], array["shape"])
    dtype = {"complex64": np.complex64, "bool": np.bool_, "bfloat16": np.float32}.get(array["dtype"], array["dtype"])
    with np.errstate(over="ignore"):
        return wide.astype(dtype)


def made(values: Any, array: dict[str, Any], dtype: str = "", layout: str = "plain") -> Any:
    """Make an array of MLX with these contents, lying in memory as its layout says."""
    name = dtype or array["dtype"]
    kind = _dtype(name)
    wide = values.astype(np.float64) if name == "float64" else values

    def whole(part: Any) -> Any:
        own = np.array(part, order="C")  # MLX may look into an array of NumPy's, and takes not every one
        return mx.array(own, dtype=kind) if name == "float64" else mx.array(own).astype(kind)

    laid = layouts.of(layout, wide)
    found = laid.view(mx, whole(laid.stored(wide)), wide.shape) if laid else whole(wide)
    mx.eval(found)
    return found


def function_of(steps: Sequence[dict[str, Any]]) -> Function:
    """Return a function of arrays that makes a case's calls and gives the list of what the last one returns."""

    def run(*arrays: Any) -> list[Any]:
        result: list[Any] = []
        for step in steps:
            found = called(_function(step["function"]), step, arrays, result, CONVERT)
            result = [one if isinstance(one, mx.array) else mx.array(one) for one in found]
        return result

    return run


def _function(name: str) -> Callable[..., Any]:
    if name == "[]":
        return lambda array, index: array[tuple(index) if isinstance(index, list) else index]
    if name == "at[].add":
        return lambda array, index, values: array.at[index].add(values)
    if name in KNOWN_RESULTS:
        return KNOWN_RESULTS[name]
    if name in QUANTIZED:
        return lambda *given, transpose=None, **how: QUANTIZED[name](given, transpose, how)
    if name.partition(".")[0] in ROOMS:
        return importlib.import_module("mlxprobe.fuzz.child.modules").function(name)  # type: ignore[no-any-return]
    found: Any = mx
    for part in name.split("."):
        found = getattr(found, part)
    return found  # type: ignore[no-any-return]


def told(arrays: Sequence[Any]) -> list[dict[str, Any]]:
    """Return shape, dtype and numbers of evaluated arrays."""
    return [_told(one) for one in arrays]


def _told(array: Any) -> dict[str, Any]:
    name = str(array.dtype).rpartition(".")[2].replace("bool_", "bool")
    return {"shape": list(array.shape), "dtype": name, "values": packed(numbers(array), name)}


def numbers(array: Any) -> Any:
    """Return an array's numbers for NumPy, floats in float64."""
    if array.dtype == mx.bfloat16:
        array = array.astype(mx.float32)
    found = np.array(array)
    return found.astype(np.float64) if found.dtype.kind == "f" else found
