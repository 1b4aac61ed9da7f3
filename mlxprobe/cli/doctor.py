"""What MLX, device and limits are here, and what cannot be measured."""

from __future__ import annotations

import os
import shutil

import psutil

from mlxprobe.diagnosis import metal
from mlxprobe.runner.runner import TIMEOUT_S
from mlxprobe.schema.metrics import counted
from mlxprobe.schema.observation import Environment
from mlxprobe.settings.machine_limits import memory_limit
from mlxprobe.settings.table import Settings
from mlxprobe.supervisor import pyspy_stacks
from mlxprobe.system import MAC
from mlxprobe.system.system import system


def lines(here: Environment, settings: Settings) -> list[str]:
    """Return all that there is to tell."""
    told = [*facts(here, settings), *(metal.known_here(here.device_limits, os.environ) if MAC else ())]
    return [
        *(f"{name:12} {value}".rstrip() for name, value in told),
        *(f"{'not measured':12} {gap}" for gap in gaps(here)),
    ]


def facts(here: Environment, settings: Settings) -> list[tuple[str, str]]:
    """Return name and value of everything that decides what a run can see."""
    device = f"{here.device} ({here.device_name})" if here.device_name else here.device
    stall = f"{settings.stall_s:g} s" if settings.stall_s else "measured from each scenario's correct loop"
    return [
        ("mlx", here.mlx),
        ("device", f"{device}; available: {', '.join(here.devices)}"),
        ("python", f"{here.python} ({here.executable})"),
        ("platform", here.platform),
        ("processors", f"{psutil.cpu_count()} ({counted(settings.jobs, 'program')} at a time)"),
        (
            "memory",
            f"{system.memory_bytes() / 1e9:.1f} GB; a program is ended at {memory_limit(settings.memory) / 1e9:.1f} GB",
        ),
        ("stall limit", stall),
        ("timeout", f"{settings.timeout_s or TIMEOUT_S[here.device]:g} s a program"),
    ]


def gaps(here: Environment) -> list[str]:
    """Say what cannot be measured, or was never tried, with this device and system."""
    found = []
    if here.device == "gpu":
        found.append("GPU load cannot be read: a program that waits for the GPU hangs with the kind `unknown`")
    if not pyspy_stacks.program():
        found.append("no py-spy (`pip install mlxprobe[native]`): no C++ frames of a hang are shown")
    found += system.gaps()
    if not MAC and not shutil.which("g++") and here.device == "cpu":
        found.append("no g++: MLX builds the kernels of compiled functions with it, so those programs will fail")
    return found
