"""mlxprobe: a diagnostic and regression harness for training hangs and silent training bugs in MLX."""

TYPE_CHECKING = False  # as `typing` has it, which takes tens of milliseconds: an interrupt there ends in a traceback
if TYPE_CHECKING:
    from typing import Any

    from mlxprobe.api import Diagnosis, Seen, watch, watching
    from mlxprobe.catalogue.declaration import Scenario
    from mlxprobe.runner.sidecar import disable, enable
    from mlxprobe.schema.enums import Outcome

__version__ = "0.1.0"
__all__ = [
    "Diagnosis",
    "Outcome",
    "Scenario",
    "Seen",
    "__version__",
    "disable",
    "enable",
    "watch",
    "watching",
]


_HOMES = {
    "Diagnosis": "api",
    "Seen": "api",
    "watch": "api",
    "watching": "api",
    "enable": "runner.sidecar",
    "disable": "runner.sidecar",
    "Scenario": "catalogue.declaration",
    "Outcome": "schema.enums",
    "load_ipython_extension": "integrations.notebook",
    "unload_ipython_extension": "integrations.notebook",
}


def enable_with_mlx() -> None:
    """Have this process watched once it imports MLX, as `MLXPROBE_ENABLE=1` asks; a report comes where it trains."""
    from mlxprobe.agent.patching.import_hooks import when_begun

    def begin() -> None:
        try:
            __getattr__("enable")(report="steps")
        except Exception as error:  # the program did not ask for us
            import sys

            sys.stderr.write(f"mlxprobe: this process is not watched: {error}\n")

    when_begun("mlx", begin)


def __getattr__(name: str) -> "Any":
    """Import what is asked for, and nothing else: watched programs import this package too."""
    if name not in _HOMES:
        raise AttributeError(f"module 'mlxprobe' has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(f"mlxprobe.{_HOMES[name]}"), name)
