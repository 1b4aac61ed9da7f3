"""mlxprobe: a diagnostic and regression harness for training hangs and silent training bugs in MLX."""

from typing import TYPE_CHECKING, Any

from mlxprobe.catalogue.scenario import Scenario
from mlxprobe.values.vocabulary import Outcome

if TYPE_CHECKING:
    from mlxprobe.api import Diagnosis, watch

__version__ = "0.1.0"
__all__ = ["Diagnosis", "Outcome", "Scenario", "__version__", "watch"]


def __getattr__(name: str) -> Any:
    """Import what only the supervisor's side needs when it is asked for: watched programs import this package too."""
    if name in ("Diagnosis", "watch"):
        from mlxprobe import api

        return getattr(api, name)
    raise AttributeError(f"module 'mlxprobe' has no attribute {name!r}")
