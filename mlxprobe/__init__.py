"""mlxprobe: a diagnostic and regression harness for training hangs and silent training bugs in MLX."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mlxprobe.api import Diagnosis, watch
    from mlxprobe.catalogue.scenario import Scenario
    from mlxprobe.values.vocabulary import Outcome

__version__ = "0.1.0"
__all__ = ["Diagnosis", "Outcome", "Scenario", "__version__", "watch"]


_ROOMS = {"Diagnosis": "api", "watch": "api", "Scenario": "catalogue.scenario", "Outcome": "values.vocabulary"}


def __getattr__(name: str) -> Any:
    """Import what is asked for, and nothing else: watched programs import this package too."""
    if name not in _ROOMS:
        raise AttributeError(f"module 'mlxprobe' has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(f"mlxprobe.{_ROOMS[name]}"), name)
