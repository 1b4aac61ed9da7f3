"""mlxprobe: a diagnostic and regression harness for training hangs and silent training bugs in MLX."""

from mlxprobe.scenario import Scenario
from mlxprobe.vocabulary import Outcome

__version__ = "0.1.0"
__all__ = ["Outcome", "Scenario", "__version__"]
