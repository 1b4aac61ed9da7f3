"""How an array lies in memory: what is stored, and the view of it that has the right values. Imports no MLX."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

Numbers = Any


class Layout(NamedTuple):
    """What is stored for these values, the view of it (by MLX, of a shape), and that view as text."""

    stored: Callable[[Numbers], Numbers]
    view: Callable[[Any, Any, Any], Any]
    text: str
    least: int = 1  # axes


LAYOUTS = {
    "transposed": Layout(lambda v: v.transpose(), lambda mx, a, _: mx.transpose(a), "mx.transpose({})", 2),
    "swapped": Layout(lambda v: v.swapaxes(0, -1), lambda mx, a, _: mx.swapaxes(a, 0, -1), "mx.swapaxes({}, 0, -1)", 2),
    "strided": Layout(lambda v: np.repeat(v, 2, -1), lambda mx, a, _: a[..., ::2], "{}[..., ::2]"),
    "reversed": Layout(lambda v: v[::-1], lambda mx, a, _: a[::-1], "{}[::-1]"),
    "backwards": Layout(lambda v: v[..., ::-1], lambda mx, a, _: a[..., ::-1], "{}[..., ::-1]"),
    "stepped back": Layout(lambda v: np.repeat(v[..., ::-1], 2, -1), lambda mx, a, _: a[..., ::-2], "{}[..., ::-2]"),
    "offset": Layout(lambda v: np.concatenate([v[:1], v]), lambda mx, a, _: a[1:], "{}[1:]"),
    "window": Layout(
        lambda v: np.concatenate([v[..., :1], v, v[..., -1:]], -1), lambda mx, a, _: a[..., 1:-1], "{}[..., 1:-1]"
    ),
    "broadcast": Layout(lambda v: v[:1], lambda mx, a, shape: mx.broadcast_to(a, shape), "mx.broadcast_to({}, {})"),
    "spread": Layout(lambda v: v[..., :1], lambda mx, a, shape: mx.broadcast_to(a, shape), "mx.broadcast_to({}, {})"),
}
ALIKE = ("broadcast", "spread")  # values are the same along an axis


def of(layout: str, values: Numbers) -> Layout | None:
    """Return how these values are laid; None where they lie plainly."""
    found = LAYOUTS.get(layout)
    return found if found and values.ndim >= found.least and values.size else None
