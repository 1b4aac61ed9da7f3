"""Metal's own facts: from Apple's and MLX's documentation and public threads; this project has run on no Mac. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from mlxprobe.schema.metrics import duration
from mlxprobe.schema.observation import Observation
from mlxprobe.schema.record import Remark

NEVER_RUN = "written from documentation and public threads; never run on Metal"
LONG_STEP_S = 5.0  # the watchdog's time is not documented; threads speak of about five seconds, and of less
WARM_UP = 2  # steps in which kernels are compiled
MLX = "https://ml-explore.github.io/mlx/build/html/python/_autosummary/mlx.core.{}.html"
APPLE = "https://developer.apple.com/documentation/{}"
ISSUES = "https://github.com/ml-explore/mlx/issues/{}"


class MetalFact(NamedTuple):
    """What Metal does that a trainer meets, what to do, and where that is written."""

    name: str
    says: str
    do: str
    sources: tuple[str, ...]


FACTS = (
    MetalFact(
        "footprint",
        "resident memory (RSS, as ps and psutil report it) leaves out Metal's buffers, and falls where the system "
        "compresses or swaps; the footprint has both, and Activity Monitor calls it Memory",
        "look at the footprint (`footprint PID`, Activity Monitor), or at mx.get_active_memory() and "
        "mx.get_cache_memory(), which count MLX's own buffers",
        ("https://keith.github.io/xcode-man-pages/footprint.1.html",
         "https://www.bazhenov.me/posts/activity-monitor-anatomy"),
    ),
    MetalFact(
        "working-set",
        "Metal recommends how much memory a program's buffers may take before it slows down: "
        "max_recommended_working_set_size of mx.device_info(), about three quarters of the machine's memory; MLX's own "
        "limit is 1.5 times as much by default, so that it swaps before it fails",
        "compare it with mx.get_peak_memory(); mx.set_memory_limit() sets a lower limit",
        (APPLE.format("metal/mtldevice/recommendedmaxworkingsetsize"), MLX.format("set_memory_limit")),
    ),
    MetalFact(
        "wired-limit",
        "from macOS 15 on, MLX can keep this much memory resident, uncompressed and unswapped; 0 by "
        "default, and more than max_recommended_working_set_size is an error",
        "mx.set_wired_limit(bytes) for a model that nearly fills the memory; `sudo sysctl iogpu.wired_limit_mb=…` "
        "raises what the system allows",
        (MLX.format("set_wired_limit"),),
    ),
    MetalFact(
        "watchdog",
        "the system ends a command buffer that keeps the GPU too long, sooner while a screen is shown: `Caused GPU "
        "Timeout Error`, `Impacting Interactivity`; MLX makes several command buffers of one evaluation, but one large "
        "operation is in one of them",
        "smaller batches or shorter sequences; let the screen sleep, or train over ssh; "
        "AGX_RELAX_CDM_CTXSTORE_TIMEOUT=1, set before MLX is imported, helped many and not all: it is undocumented",
        (ISSUES.format(3267), "https://github.com/dgrauet/ltx-2-mlx/issues/75",
         "https://github.com/jundot/omlx/issues/1387"),
    ),
    MetalFact(
        "buffers",
        "Metal limits the number of buffers of a program (resource_limit of mx.device_info(), 499,000 unless the "
        "system says otherwise), and no buffer larger than max_buffer_length, however much memory is free",
        "MP114 foretells the first; process what is larger in parts",
        (ISSUES.format(4464),),
    ),
    MetalFact(
        "validation",
        "METAL_DEVICE_WRAPPER_TYPE=1 or MTL_DEBUG_LAYER=1 has each call of Metal checked, MTL_SHADER_VALIDATION=1 each "
        "access of a kernel too: what is wrong ends the program at its place, and all is slower",
        "set one to find out whether a kernel reads outside of its buffers; unset them before times are measured",
        (APPLE.format("xcode/validating-your-apps-metal-api-usage"), "https://manp.gs/mac/1/MetalValidation",
         "https://google.github.io/filament/notes/metal_debugging.html"),
    ),
    MetalFact(
        "capture",
        "mx.metal.start_capture(\"x.gputrace\") and stop_capture() record what the GPU does between them, for Xcode; "
        "the program has to be started with MTL_CAPTURE_ENABLED=1, and the file must not be there",
        "capture one step: the record of many is large",
        ("https://ml-explore.github.io/mlx/build/html/dev/metal_debugger.html",),
    ),
)  # fmt: skip

VARIABLES = {
    "METAL_DEVICE_WRAPPER_TYPE": "Metal's calls are checked, and slower: times mean little",
    "MTL_DEBUG_LAYER": "Metal's calls are checked, and slower: times mean little",
    "MTL_SHADER_VALIDATION": "kernels are checked, and much slower: times mean little",
    "MTL_CAPTURE_ENABLED": "captures of the GPU's work are possible",
    "AGX_RELAX_CDM_CTXSTORE_TIMEOUT": "the system's watchdog of the GPU is relaxed",
}


def known_here(limits: Mapping[str, int], environ: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield name and value of what matters on this Mac.

    Args:
        limits: the numbers of `mx.device_info()`.
        environ: the environment that programs get.
    """
    if most := limits.get("max_recommended_working_set_size"):
        of = f" of {limits['memory_size'] / 1e9:.1f} GB" if limits.get("memory_size") else ""
        yield "working set", f"{most / 1e9:.1f} GB{of}: more than that is slow, and cannot be wired"
    if count := limits.get("resource_limit"):
        yield "buffers", f"{count:,} at the most"
    if length := limits.get("max_buffer_length"):
        yield "one array", f"{length / 1e9:.1f} GB at the most"
    for name, meaning in VARIABLES.items():
        if environ.get(name, "0") not in ("", "0"):
            yield name, meaning


def long_steps(seen: Observation, *, on_metal: bool) -> Iterator[Remark]:
    """Warn of a step that takes longer than the system may let one command buffer take; on Metal alone."""
    slow = [step for step in seen.steps[WARM_UP:] if step.step_s >= LONG_STEP_S]
    if not on_metal or not slow:
        return
    worst = max(slow, key=lambda step: step.step_s)
    message = (
        f"{len(slow)} of {len(seen.steps)} steps took {LONG_STEP_S:g} s or longer, the longest "
        f"{duration(worst.step_s)} (step {worst.n}): macOS ends a command buffer that keeps the GPU for some seconds, "
        f"while a screen is shown; `mlxprobe explain metal` ({NEVER_RUN})"
    )
    yield Remark(name="long step", message=message, grave=False, detail={"steps": len(slow), "step_s": worst.step_s})
