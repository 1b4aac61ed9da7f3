"""The values of a case's arrays: of a kind, the same on every machine, and exactly what the dtype can hold."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import numpy.typing as npt

from mlxprobe.fuzz.case import Array
from mlxprobe.fuzz.child import layouts

Numbers = npt.NDArray[Any]

SPECIAL = {"nan": np.nan, "inf": np.inf, "-inf": -np.inf, "-0": -0.0, "huge": 3e4, "tiny": 1e-5, "0": 0.0}
RANGES = {
    "real": (-3.0, 3.0),
    "positive": (0.25, 3.0),
    "unit": (-0.9, 0.9),
    "above": (1.25, 4.0),
    "share": (0.05, 0.95),
}
AROUND = 0.03  # from whole numbers and from zero, where kinks are, values of a range keep away


def contents(array: Array, other: int = 0) -> Numbers:
    """Return an array's values in float64 (integers and truth values as they are), `other` ones for another number."""
    draw = random.Random(f"{array.seed}.{other}")  # noqa: S311 - its numbers are the same in every Python
    count = int(np.prod(array.shape, dtype=int))
    flat = _values(array, count, draw)
    found = rounded(np.array(flat, dtype=_exact(array.dtype)).reshape(array.shape), array.dtype)
    found = _matrices(found, array, draw)
    for word in array.special if other == 0 else ():
        if found.size:
            found.reshape(-1)[draw.randrange(found.size)] = SPECIAL[word]
    if array.layout in layouts.ALIKE and (laid := layouts.of(array.layout, found)):
        found = np.broadcast_to(laid.stored(found), found.shape).copy()
    return rounded(found, array.dtype)


def _values(array: Array, count: int, draw: random.Random) -> list[Any]:
    if array.dtype == "bool":
        return [draw.random() < 0.5 for _ in range(count)]
    if array.kind == "index":
        return [draw.randrange(-array.bound if array.dtype.startswith("int") else 0, array.bound) for _ in range(count)]
    if array.kind == "unique":  # places, each once
        places = list(range(max(array.bound, 1)))
        draw.shuffle(places)
        return [places[k % len(places)] for k in range(count)]
    if array.kind == "distinct":
        ranks = list(range(count))
        draw.shuffle(ranks)
        return [(rank - count // 2) / 8 + 0.05 for rank in ranks] if array.is_float else ranks
    if array.kind == "rising":
        return [k / 4 - 1.13 for k in range(count)]
    if not array.is_float and array.dtype != "complex64":
        low = 0 if array.dtype.startswith("u") or array.kind in ("positive", "shift") else -9
        return [draw.randint(max(low, 1) if array.kind == "positive" else low, 5 if array.kind == "shift" else 9)
                for _ in range(count)]  # fmt: skip
    lowest, highest = RANGES.get(array.kind, RANGES["real"])
    if array.dtype == "complex64":
        return [
            complex(_away(draw.uniform(lowest, highest)), _away(draw.uniform(lowest, highest))) for _ in range(count)
        ]
    return [_away(draw.uniform(lowest, highest)) for _ in range(count)]


def _away(value: float) -> float:
    whole = float(round(value))
    return value if abs(value - whole) > AROUND else whole + (AROUND if value >= whole else -AROUND)


def _matrices(found: Numbers, array: Array, draw: random.Random) -> Numbers:
    """Make the last two axes matrices of a kind; singular values of all of them lie between 1 and 3."""
    if array.kind not in ("spd", "regular", "symmetric", "lower", "upper") or found.size == 0:
        return found
    rows, columns = found.shape[-2:] if found.ndim > 1 else (0, 0)
    if rows == 0 or (rows != columns and array.kind != "regular"):  # made smaller, it is no matrix of the kind any more
        return found
    many = found.reshape(-1, rows, columns)
    made = np.stack([_matrix(array.kind, rows, columns, draw) for _ in many])
    return made.reshape(found.shape)


def _matrix(kind: str, rows: int, columns: int, draw: random.Random) -> Numbers:
    """Build a matrix from its singular values, which are apart: eigenvectors have a derivative then."""
    few = min(rows, columns)
    values = np.array([1.0 + 2.0 * (k + 0.4 * draw.random()) / max(few, 1) for k in range(few)])
    left, right = _orthogonal(rows, draw)[:, :few], _orthogonal(columns, draw)[:, :few]
    if kind == "spd":
        return np.asarray((left * values) @ left.T)
    if kind == "symmetric":
        return np.asarray((left * (values * np.array([(-1.0) ** k for k in range(few)]))) @ left.T)
    if kind in ("lower", "upper"):
        dense = np.array([[0.5 * draw.uniform(-1, 1) for _ in range(columns)] for _ in range(rows)])
        strict = np.tril(dense, -1) if kind == "lower" else np.triu(dense, 1)
        return np.asarray(strict + np.diag(values))
    return np.asarray((left * values) @ right.T)


def _orthogonal(size: int, draw: random.Random) -> Numbers:
    found, _ = np.linalg.qr(np.array([[draw.uniform(-1, 1) for _ in range(size)] for _ in range(size)]))
    return np.asarray(found)


def _exact(dtype: str) -> type:
    return complex if dtype == "complex64" else bool if dtype == "bool" else int if "int" in dtype else float


def rounded(values: Numbers, dtype: str) -> Numbers:
    """Round to what a dtype can hold, half to even."""
    if dtype == "bfloat16":
        bits = values.astype(np.float32).view(np.uint32).astype(np.uint64)
        odd = (bits >> 16) & 1
        kept = (((bits + 0x7FFF + odd) >> 16) << 16).astype(np.uint32)
        return np.where(np.isnan(values), np.nan, kept.view(np.float32)).astype(np.float64)
    if dtype in ("float16", "float32"):
        with np.errstate(over="ignore"):
            return values.astype(dtype).astype(np.float64)
    return values.astype(np.complex64).astype(np.complex128) if dtype == "complex64" else values
