"""Limits that depend on this machine."""

from __future__ import annotations

from mlxprobe.system.system import system

SHARE = 0.4  # of the memory, where no limit is set


def memory_limit(setting: int | float | None) -> int:
    """Turn the setting, bytes or a share of the machine's memory, into bytes; without one it is `SHARE`."""
    setting = SHARE if setting is None else setting
    return int(setting * system.memory_bytes()) if isinstance(setting, float) else setting
