"""What is told of an adapter's scale beside its file, or in it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from typing import Any, NamedTuple

from mlxprobe.agent.introspection.lora_detection import ALPHAS, RANKS, SCALES

LARGEST_BYTES = 262_144
NAMED = ("adapter", "lora")


class Declared(NamedTuple):
    """Scale, alpha and rank by name, and who says so."""

    names: dict[str, float]
    source: str


def declared(path: str) -> Declared | None:
    """Read an adapter's own metadata, else the configurations in its folder; None where nothing is told."""
    own = os.path.splitext(os.path.basename(path))[0]
    if found := next(scales_in(metadata(path), named=True), None):
        return Declared(found, "its metadata")
    folder = os.path.dirname(path)
    for name in sorted(one for one in listed(folder) if one.endswith(".json")):
        named = any(word in name.lower() for word in NAMED) or name.startswith(own)
        if found := next(scales_in(read_json(os.path.join(folder, name)), named=named), None):
            return Declared(found, name)
    return None


def scales_in(node: Any, *, named: bool) -> Iterator[dict[str, float]]:
    """Yield the dicts that tell a scale; where it could be another's, those alone that tell a rank as well."""
    if not isinstance(node, dict):
        return
    numbers = {name: number(node.get(name)) for name in (*SCALES, *ALPHAS, *RANKS)}
    found = {name: value for name, value in numbers.items() if value is not None}
    if any(name in found for name in (*SCALES, *ALPHAS)) and (named or any(name in found for name in RANKS)):
        yield found
    for key, value in node.items():
        yield from scales_in(value, named=named and any(word in str(key).lower() for word in NAMED))


def number(value: Any) -> float | None:
    """Return a number that may be written as a word; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        return float(value)
    except ValueError:
        return None


def metadata(path: str) -> dict[str, Any]:
    """Read the metadata in the header of a safetensors file."""
    if not path.endswith(".safetensors"):
        return {}
    with open(path, "rb") as file:
        length = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(length)) if length <= LARGEST_BYTES else {}
    found: dict[str, Any] = header.get("__metadata__") or {}
    return found


def read_json(path: str) -> Any:
    """Read a small JSON file; None where it is none."""
    try:
        if os.path.getsize(path) > LARGEST_BYTES:
            return None
        with open(path, encoding="utf-8") as file:
            return json.load(file)
    except (OSError, ValueError):
        return None


def listed(folder: str) -> list[str]:
    """List a folder's files, if it can be."""
    try:
        return os.listdir(folder)
    except OSError:
        return []
