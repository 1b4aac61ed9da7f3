"""Which public functions of `mlx.core` no case calls, and why."""

from __future__ import annotations

from mlxprobe.fuzz.case import Case
from mlxprobe.fuzz.operations.registry import OPERATIONS

STATE = "it changes or tells the state of the process, and returns no numbers of its own"
FILES = "it reads or writes files"
TYPES = "it answers about types and shapes, not about numbers"
TRANSFORMS = "it transforms functions: an oracle, not an operation"
DEVICE = "it needs a device or a compiler that a CPU has not"
SAME = "its results are free to differ (uninitialised, or random in another way)"
UNDRAWN = "this run was too short for it"
RANDOM = "it draws random numbers by a generator of its own, and has no key"
RANKS = "it needs several ranks"
LATER = "no right arguments are known yet"

REASONS: dict[str, tuple[str, ...]] = {
    STATE: (
        "async_eval",
        "clear_cache",
        "clear_streams",
        "default_device",
        "default_stream",
        "depends",
        "device_count",
        "device_info",
        "disable_compile",
        "enable_compile",
        "eval",
        "get_active_memory",
        "get_array_buffer_size",
        "get_cache_memory",
        "get_memory_limit",
        "get_peak_memory",
        "get_printoptions",
        "is_available",
        "new_stream",
        "new_thread_local_stream",
        "new_thread_unsafe_stream",
        "printoptions",
        "reset_peak_memory",
        "set_cache_limit",
        "set_default_device",
        "set_default_stream",
        "set_memory_limit",
        "set_printoptions",
        "set_wired_limit",
        "stream",
        "synchronize",
        "random.seed",
        "random.key",
    ),
    FILES: (
        "export_function",
        "export_to_dot",
        "exporter",
        "import_function",
        "load",
        "save",
        "save_gguf",
        "save_safetensors",
        "savez",
        "savez_compressed",
    ),
    TYPES: ("broadcast_shapes", "can_cast", "einsum_path", "isdtype", "issubdtype", "result_type"),
    TRANSFORMS: ("checkpoint", "compile", "grad", "jvp", "value_and_grad", "vjp", "vmap"),
    DEVICE: ("fast.cuda_kernel", "fast.metal_kernel", "fast.precompiled_cuda_kernel", "qqmm", "gather_qqmm"),
    SAME: ("empty", "empty_like"),
    RANDOM: tuple(
        f"init.{name}"
        for name in (
            "glorot_normal",
            "glorot_uniform",
            "he_normal",
            "he_uniform",
            "normal",
            "orthogonal",
            "sparse",
            "uniform",
        )
    ),
    RANKS: (
        "nn.AllToShardedLinear",
        "nn.FullyShardedModule",
        "nn.QuantizedAllToShardedLinear",
        "nn.QuantizedShardedToAllLinear",
        "nn.ShardedToAllLinear",
        "nn.average_gradients",
        "nn.fully_shard",
    ),
}


def used(case: Case) -> set[str]:
    """Name what a training is made of, and what its modes and oracles call."""
    found = {"eval", "synchronize", "get_active_memory", "jvp", "vjp", "vmap"}
    for step in case.steps:
        if step.function.startswith("train."):
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
