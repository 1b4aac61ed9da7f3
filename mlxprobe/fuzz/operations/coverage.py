"""Which public functions of `mlx.core` no case calls, and why."""

from __future__ import annotations

from mlxprobe.fuzz.case import Case
from mlxprobe.fuzz.operations.higher_order import ALSO
from mlxprobe.fuzz.operations.registry import OPERATIONS

STATE = "it changes or returns the state of the process, and returns no numbers of its own"
DEVICE = "it needs a device or a compiler that a CPU has not"
UNDRAWN = "this run was too short for it"
LATER = "no right arguments are known yet"

REASONS: dict[str, tuple[str, ...]] = {
    STATE: (
        "clear_streams",
        "device_count",
        "device_info",
        "get_array_buffer_size",
        "get_printoptions",
        "is_available",
        "new_thread_local_stream",
        "new_thread_unsafe_stream",
        "printoptions",
        "set_printoptions",
        "set_wired_limit",
    ),
    DEVICE: (
        "fast.cuda_kernel",
        "fast.metal_kernel",
        "fast.precompiled_cuda_kernel",
        "gather_qqmm",
        "nn.QQLinear",
        "qqmm",
    ),
}


def used(case: Case) -> set[str]:
    """Name what a training is made of, and what its modes and oracles call."""
    found = {"eval", "synchronize", "get_active_memory", "jvp", "vjp", "vmap"}
    for step in case.steps:
        found |= set(ALSO.get(step.function, ()))
        if step.function.startswith("train.") and "optimizer" in step.keywords:
            found |= {f"optimizers.{step.keywords['optimizer']}", "nn.value_and_grad", "nn.Sequential"}
            found |= {"optimizers.clip_grad_norm"} if step.keywords["clips"] else set()
            found |= (
                {"optimizers.join_schedules"} if isinstance(step.keywords["named"]["learning_rate"], list) else set()
            )
    return found


def reason(name: str) -> str:
    """Say why no case calls a function."""
    if name in OPERATIONS:
        return UNDRAWN
    return next((why for why, names in REASONS.items() if name in names), LATER)
