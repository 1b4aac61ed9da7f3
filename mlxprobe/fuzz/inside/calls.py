"""From a case's data to MLX's arrays and calls, and from what comes out to numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import mlx.core as mx
import numpy as np

from mlxprobe.fuzz.inside.packed import packed, unpacked

Function = Callable[..., list[Any]]


def values_of(array: dict[str, Any]) -> Any:
    """Return an array's contents for NumPy."""
    wide = unpacked(array["values"], array["dtype"], array["shape"])
    dtype = {"complex64": np.complex64, "bool": np.bool_, "bfloat16": np.float32}.get(array["dtype"], array["dtype"])
    with np.errstate(over="ignore"):
        return wide.astype(dtype)


def made(values: Any, array: dict[str, Any], dtype: str = "", layout: str = "plain") -> Any:
    """Make an array of MLX with these contents, lying in memory as its layout says."""
    name = dtype or array["dtype"]
    kind = mx.bool_ if name == "bool" else getattr(mx, name)
    wide = values.astype(np.float64) if name == "float64" else values

    def whole(part: Any) -> Any:
        own = np.array(part, order="C")  # MLX may look into an array of NumPy's, and takes not every one
        return mx.array(own, dtype=kind) if name == "float64" else mx.array(own).astype(kind)

    found = _laid(wide, layout, whole)
    mx.eval(found)
    return found


def _laid(values: Any, layout: str, whole: Callable[[Any], Any]) -> Any:
    if layout == "transposed" and values.ndim > 1:
        return mx.transpose(whole(values.transpose()))
    if layout == "strided" and values.ndim:
        return whole(np.repeat(values, 2, axis=-1))[..., ::2]
    if layout == "reversed" and values.ndim:
        return whole(values[::-1])[::-1]
    if layout == "offset" and values.ndim:
        return whole(np.concatenate([values[:1], values]))[1:] if len(values) else whole(values)
    if layout == "broadcast" and values.ndim:
        return mx.broadcast_to(whole(values[:1]), values.shape) if len(values) else whole(values)
    return whole(values)


def function_of(steps: Sequence[dict[str, Any]]) -> Function:
    """Return a function of arrays that makes a case's calls and gives the list of what the last one returns."""

    def run(*arrays: Any) -> list[Any]:
        result: list[Any] = []
        for step in steps:
            words = [_meant(word, arrays, result) for word in step["arguments"]]
            named = {name: _meant(word, arrays, result) for name, word in step.get("keywords", {}).items()}
            result = _flat(_called(step["function"])(*words, **named))
        return result

    return run


def _called(name: str) -> Callable[..., Any]:
    if name == "[]":
        return lambda array, index: array[tuple(index) if isinstance(index, list) else index]
    if name == "at[].add":
        return lambda array, index, values: array.at[index].add(values)
    found: Any = mx
    for part in name.split("."):
        found = getattr(found, part)
    return found  # type: ignore[no-any-return]


def _meant(word: Any, arrays: Sequence[Any], result: Sequence[Any]) -> Any:
    if isinstance(word, list):
        return [_meant(one, arrays, result) for one in word]
    if not isinstance(word, dict):
        return word
    kind, value = next(iter(word.items()))
    if kind == "pieces":
        return [one.reshape(-1) for one in result]
    if kind == "array":
        return arrays[value]
    if kind == "result":
        return result[value]
    if kind == "slice":
        return slice(*value)
    if kind == "tuple":
        return tuple(_meant(one, arrays, result) for one in value)
    return mx.bool_ if value == "bool" else getattr(mx, value)


def _flat(found: Any) -> list[Any]:
    if isinstance(found, (list, tuple)):
        return [one for part in found for one in _flat(part)]
    return [found if isinstance(found, mx.array) else mx.array(found)]


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
