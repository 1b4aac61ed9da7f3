"""Encode an event as one line that a pipe takes in one piece; texts and lists that are too long lose their middle."""

from __future__ import annotations

import itertools
import json
import math
from functools import partial
from typing import Any

from mlxprobe.agent.patching.interrupts import let_through
from mlxprobe.agent.wire.constants import LINE_BYTES

ROUNDS = ((200, 64), (100, 32), (50, 16), (20, 8), (20, 4))  # characters of a text, entries of a list or dict
WHOLE = ("e", "t", "p", "rows")  # never cut
PLACE = (*WHOLE, "type", "step", "file", "line", "caller", "count")  # cut only where all else did not help
FIELDS = "fields"  # of a fact
DEEPEST = 8  # levels of dicts and lists
GAP = " … "

_JSON = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False, allow_nan=False)
_told = partial(json.JSONEncoder.encode, _JSON)


def line(values: dict[str, Any]) -> bytes:
    """Encode an event. One that does not fit is cut; only one whose rows alone are too long is sent as dropped."""
    encoded = _encode(values)
    for whole, cut in itertools.product((PLACE, WHOLE), ROUNDS):
        if len(encoded) <= LINE_BYTES:
            return encoded
        encoded = _encode({name: one if name in whole else _cut(name, one, *cut) for name, one in values.items()})
    return encoded if len(encoded) <= LINE_BYTES else _encode(_dropped(values))


def _dropped(values: dict[str, Any]) -> dict[str, Any]:
    kept = {name: values[name] for name in ("t", "p") if name in values}
    return kept | {"e": "dropped", "event": values["e"], "type": _shorter(values.get("type", ""), 60, 1)}


def _cut(name: str, value: Any, characters: int, entries: int) -> Any:
    """Cut what an event has by a name; a fact keeps all of its fields, for without one it cannot be read."""
    if name == FIELDS and isinstance(value, dict):
        return {field: _shorter(one, characters, entries) for field, one in value.items()}
    return _shorter(value, characters, entries)


def _shorter(value: Any, characters: int, entries: int) -> Any:
    """Cut texts, lists and dicts in the middle, however deep they are."""
    if isinstance(value, dict):
        kept = ends(list(value.items()), entries)
        return {ends(str(name), characters, GAP): _shorter(one, characters, entries) for name, one in kept}
    if isinstance(value, (list, tuple)):
        return [_shorter(one, characters, entries) for one in ends(list(value), entries)]
    return ends(value, characters, GAP) if isinstance(value, str) else value


def ends(some: Any, most: int, gap: Any = None) -> Any:
    """Return the first and the last half of what is longer than `most`."""
    if len(some) <= most:
        return some
    half = most // 2
    return some[:half] + (some[:0] if gap is None else gap) + some[-half:]


def _encode(values: dict[str, Any]) -> bytes:
    try:
        text = _told(values)
    except (TypeError, ValueError, RecursionError) as error:
        let_through(error)
        text = _told(_plain(values))
    return text.encode(errors="replace") + b"\n"


def _plain(value: Any, level: int = 0) -> Any:
    """Return what JSON has for a value: "nan" and "inf" for these numbers, the type's name for any other object."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if value is None or isinstance(value, (str, int, float)):
        return value
    if level == DEEPEST or not isinstance(value, (dict, list, tuple)):
        return f"<{type(value).__name__}>"
    if isinstance(value, dict):
        return {str(_plain(name, DEEPEST)): _plain(one, level + 1) for name, one in value.items()}
    return [_plain(one, level + 1) for one in value]
