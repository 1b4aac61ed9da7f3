"""Wrap MLX's entry points, so that the recorder hears of gradients, updates and evaluations."""

from __future__ import annotations

from typing import Any

from mlxprobe.agent.hooks.collectives import Collectives
from mlxprobe.agent.hooks.compilation import Compilation
from mlxprobe.agent.hooks.evaluations import Evaluations
from mlxprobe.agent.hooks.gradients import GradientCalls
from mlxprobe.agent.hooks.updates import Updates
from mlxprobe.agent.looks.inspection import Inspection
from mlxprobe.agent.origin.held import Origin
from mlxprobe.agent.record.recorder import Recorder
from mlxprobe.agent.wrapping.patches import Patches


class Hooks:
    """The wrappers of one process."""

    def __init__(self, recorder: Recorder, inspection: Inspection) -> None:
        nesting, origin = inspection.nesting, Origin(inspection)
        self._compilation = Compilation(recorder, inspection, nesting, origin)
        self.collectives = Collectives(recorder, nesting)
        recorder.losses.may_compute = lambda: not (nesting.talks or self.collectives.active)
        self._evaluations = Evaluations(recorder, self.collectives)
        self._gradients = GradientCalls(recorder, inspection, nesting, origin)
        self._updates = Updates(recorder, inspection, nesting)
        self.by_module = {  # each is called with its module, which has just been imported
            "mlx.core": self._install_core,
            "mlx.nn.layers.base": self._updates.install_modules,
            "mlx.nn.utils": self._gradients.install_module_gradients,
            "mlx.optimizers.optimizers": self._updates.install_optimizers,
        }

    def adopt(self, patches: Patches) -> None:
        """Take in the gradient functions that were made before anybody looked, and what may have been trained."""
        self._updates.comes_late = True
        self._gradients.adopt(patches)

    def leave(self) -> None:
        """Listen no more to the functions that the program keeps."""
        self._gradients.leave()
        self._compilation.leave()

    def _install_core(self, mx: Any) -> None:
        self._evaluations.install(mx)
        self.collectives.install(mx)
        self._gradients.install(mx)
        self._compilation.install(mx)
