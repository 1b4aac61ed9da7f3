"""Wrap MLX's entry points, so that the recorder hears of gradients, updates and evaluations."""

from __future__ import annotations

from typing import Any

from mlxprobe.agent.hooks.collectives import Collectives
from mlxprobe.agent.hooks.compilation import Compilation
from mlxprobe.agent.hooks.evaluations import Evaluations
from mlxprobe.agent.hooks.gradients import GradientCalls
from mlxprobe.agent.hooks.updates import Updates
from mlxprobe.agent.nan_origin.call_history import Origin
from mlxprobe.agent.patching.patches import Patches
from mlxprobe.agent.recording.recorder import Recorder
from mlxprobe.agent.sampling.dispatcher import Inspection


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
        for one in (self._evaluations, self.collectives, self._gradients, self._compilation, self._updates):
            one.observe(inspection.intercepts)
        nesting.peaks.observe(inspection.intercepts)

    def imported(self, mx: Any) -> None:
        """Take what is needed of `mlx.core`, before it is wrapped."""
        self._compilation.shadows.install(mx)
        self.collectives.imported(mx)

    def adopt(self, patches: Patches) -> None:
        """Take in the gradient functions that were made before anybody looked, and what may have been trained."""
        self._updates.comes_late = True
        self._gradients.adopt(patches)

    def leave(self) -> None:
        """Listen no more to the functions that the program keeps."""
        self._gradients.leave()
        self._compilation.leave()
