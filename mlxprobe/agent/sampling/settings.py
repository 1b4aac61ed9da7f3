"""What an optimizer was made with, besides its rate."""

from __future__ import annotations

from typing import Any

from mlxprobe.agent.patching import static

MOST, FEW, LONG = 16, 8, 80  # settings, numbers of one, characters


def settings(optimizer: Any) -> dict[str, str]:
    """Return the plain numbers that an optimizer holds, in words; the private ones and the decay are left out."""
    plain = {name: one for name, one in vars(optimizer).items() if name[0] != "_" and name != "weight_decay"}
    return {name: str(one)[:LONG] for name, one in list(plain.items())[:MOST] if _is_number(one)}


def is_uncorrected(optimizer: Any) -> bool:
    """Tell whether moments that start at zero are used as they are: the first updates are several times too large."""
    return static.setting(optimizer, "bias_correction", None) is False


def _is_number(one: Any) -> bool:
    some = one if static.is_a(one, (list, tuple)) else [one]
    return len(some) < FEW and all(static.is_a(each, (bool, int, float)) for each in some)
