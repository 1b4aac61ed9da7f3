"""Numbers on their way between processes: their bytes, which keep every bit and cost a hundredth of decimal digits."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

import numpy as np

DTYPES = {"bfloat16": "float64", "float16": "float64", "float32": "float64", "complex64": "complex128"}


def packed(values: Any, dtype: str) -> str:
    """Put numbers of a dtype of MLX's into a word; floats as float64, which holds each of them."""
    return base64.b64encode(np.ascontiguousarray(values, dtype=_wide(dtype)).tobytes()).decode("ascii")


def unpacked(word: str, dtype: str, shape: Sequence[int]) -> Any:
    """Return the numbers of a word."""
    return np.frombuffer(base64.b64decode(word), dtype=_wide(dtype)).reshape(shape)


def _wide(dtype: str) -> str:
    return DTYPES.get(dtype, dtype)


def numbers_of(array: dict[str, Any]) -> Any:
    """Return the numbers of an array that was told."""
    return unpacked(array["values"], array["dtype"], array["shape"])
