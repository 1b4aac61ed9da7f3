"""Which public functions of `mlx.core` no case calls, and why."""

from __future__ import annotations

from mlxprobe.fuzz.operations.registry import OPERATIONS

STATE = "it changes or tells the state of the process, and returns no numbers of its own"
FILES = "it reads or writes files"
TYPES = "it answers about types and shapes, not about numbers"
TRANSFORMS = "it transforms functions: an oracle, not an operation"
DEVICE = "it needs a device or a compiler that a CPU has not"
SAME = "its results are free to differ (uninitialised, or random in another way)"
UNDRAWN = "this run was too short for it"
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
}


def reason(name: str) -> str:
    """Say why no case calls a function."""
    if name in OPERATIONS:
        return UNDRAWN
    return next((why for why, names in REASONS.items() if name in names), LATER)
