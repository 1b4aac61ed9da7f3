"""Losses outside of any gradient: a validation pass, how much of it is one graph, and in which mode it runs."""

from __future__ import annotations

from collections.abc import Callable
from types import FunctionType
from typing import Any
from weakref import WeakSet

from mlxprobe.agent.inspectors.models.readings import Readings
from mlxprobe.agent.inspectors.models.train_eval_mode import Modes, loop
from mlxprobe.agent.intercept.events import CallEvent
from mlxprobe.agent.intercept.intercepts import Observe
from mlxprobe.agent.intercept.states import GRADIENT, OURS, REPLAY, SAMPLED, TRACE
from mlxprobe.agent.introspection import call_site
from mlxprobe.agent.patching import static
from mlxprobe.agent.patching.signatures import like
from mlxprobe.agent.patching.temporary_patches import Loans
from mlxprobe.agent.recording.gradient_call import Call
from mlxprobe.agent.sampling.dispatcher import Inspection
from mlxprobe.agent.sampling.inspector import Inspector
from mlxprobe.agent.wire import bound
from mlxprobe.protocol.facts.losses import EvaluationNotFinite
from mlxprobe.protocol.facts.models import StatisticsUpdatedFrozen, TrainingMode, UnevaluatedPass

BESIDE, FED = 4, 40
MANY = 8  # losses in a row that nothing evaluated
FACTOR = 2  # of the peak before
FLOOR_BYTES = 1_000_000
NORMALISATION = "mlx.nn.layers.normalization"


class Passes(Inspector):
    """Hear of MLX's losses, and follow those that nothing takes a gradient of."""

    emits = (EvaluationNotFinite, StatisticsUpdatedFrozen, TrainingMode, UnevaluatedPass)
    observes = (
        Observe("mlx.nn.losses.*", "_computes", after=True, needs=SAMPLED | GRADIENT),
        Observe("mlx.nn.losses.*", "_alone", after=True, never=GRADIENT | TRACE | REPLAY | OURS),
        Observe(f"{NORMALISATION}.BatchNorm.__call__", "_normalises", never=GRADIENT | TRACE | OURS),
        Observe(f"{NORMALISATION}.BatchNorm.__call__", "_counts_on", needs=SAMPLED | GRADIENT),
    )

    def __init__(self, inspection: Inspection) -> None:
        super().__init__(inspection)
        self._model: Callable[[], Any] = lambda: None
        self._models: dict[int, Callable[[], Any]] = {}  # all that gradients were taken of: they may take turns
        self._row = self._evaluations = 0
        self._modes = Modes(inspection.recorder)
        self._readings = Readings(inspection.recorder)
        self._highest = 0  # peak of all that is no such pass
        self._trained = False  # whether steps are among that
        self._ended: list[tuple[int, int, tuple[str, int]]] = []  # passes, with their peaks
        self._site = ("", 0)
        self._forwards, self._forwards_at, self._opened = 0, -1, False  # calls of the model since an evaluation
        self._called_with: Callable[[], Any] = object  # the rows of the last such call
        self._heard = WeakSet[type]()  # whose calls are heard, for as long as the agent stays
        self._loans = Loans()
        self._fed = 0

    def calling(self) -> None:
        self._close()

    def called(self, call: Call) -> None:
        if call.model is not None:
            self._model = self._models[id(call.model)] = bound.ref(call.model)
            self._hear(type(call.model))

    def _hear(self, kind: type) -> None:
        """Wrap what a trained model is called by: a pass may have no loss in it."""
        owner = next((one for one in kind.__mro__ if "__call__" in vars(one)), None)
        if owner is not None and isinstance(vars(owner)["__call__"], FunctionType) and owner not in self._heard:
            self._heard.add(owner)
            self._loans.replace(owner, "__call__", self._forward)

    def _forward(self, original: Callable[..., Any]) -> Callable[..., Any]:
        seen, nesting = self.inspection, self.inspection.nesting

        @like(original)
        def __call__(layer: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: N807
            result = original(layer, *args, **kwargs)
            if seen.due and nesting.depth and not (nesting.replay or seen.busy):
                self._note(seen.recorder.in_losses, layer)
            if not (nesting.depth or nesting.tracing or nesting.replay or seen.busy) and layer is self._model():
                self._readings.passes()
                if seen.recorder.evaluations == self._forwards_at:
                    self._forwards += self._is_other(args)
                    self._row += self._opened
                    if self._forwards == MANY and not self._row:
                        seen.at_our_cost(self._open)
                else:
                    self._forwards, self._forwards_at = 1, seen.recorder.evaluations
                    if self._opened:
                        seen.at_our_cost(self._close)
                if self._fed < FED:
                    self._feed(args)
            elif seen.due and layer is not self._model() and not seen.busy:
                self._note(seen.recorder.beside, layer)
            return result

        return __call__

    @staticmethod
    def _note(models: dict[int, Callable[[], Any]], layer: Any) -> None:
        """Add a model to the first few that are called somewhere."""
        if len(models) < BESIDE:
            models.setdefault(id(layer), bound.ref(layer))

    def _is_other(self, args: Any) -> bool:
        """Tell whether a model is called with other rows than before: samples of one output are wanted together."""
        same = bool(args) and args[0] is self._called_with()
        if not same and args and static.is_array(args[0]):
            self._called_with = bound.ref(args[0])
        return not same

    def _feed(self, args: Any) -> None:
        """Hand on what the model was called with outside of gradient calls, some times a run."""
        self._fed += 1
        self.inspection.at_our_cost(self.inspection.recorder.fed, args)

    def _open(self) -> None:
        """Begin a pass of calls that nothing has evaluated, and that hears of no loss."""
        self._rest()
        self._row, self._evaluations, self._opened = MANY, self._forwards_at, True
        self._site = loop() or call_site.calling()
        self.inspection.wanted = True

    def finish(self) -> None:
        self._close()
        self._modes.finish()
        self._readings.tell()
        self._loans.give_back()
        if self._ended:
            self._rest()
            self._judge()

    def _computes(self, event: CallEvent) -> None:
        self._modes.within()

    def _alone(self, event: CallEvent) -> None:
        self.inspection.at_our_cost(self._follow, event.result)

    def _follow(self, result: Any) -> None:
        """A loss was computed that no gradient is taken of."""
        recorder = self.inspection.recorder
        self._readings.computes(result)
        if recorder.evaluations != self._evaluations or not self._row:
            self._close()
            self._evaluations = recorder.evaluations
            self._rest()
        self._row += not self._opened
        if self._row in (1, MANY) and not self._opened:
            self._site = loop() or call_site.calling()
        self.inspection.wanted = self.inspection.wanted or self._row >= MANY
        model = self._model()
        if model is not None:
            self._modes.alone(result, model)

    def _normalises(self, event: CallEvent) -> None:
        layer = event["self"]
        if layer.training and self._is_of_a_model(layer):
            self.inspection.at_our_cost(self._modes.passed, "batch normalisation")

    def _counts_on(self, event: CallEvent) -> None:
        """See whether a layer whose weights are frozen goes on with its statistics."""
        layer = event["self"]
        if layer.training and is_frozen(layer):
            site, seen_at = call_site.blamed(self.inspection.recorder.freeze_site, call_site.calling())
            self.inspection.recorder.fact(StatisticsUpdatedFrozen(seen=seen_at), site)

    def _is_of_a_model(self, layer: Any) -> bool:
        models = [model for known in self._models.values() if (model := known()) is not None]
        return any(one is layer for model in models for one in model.modules())

    def _close(self) -> None:
        """End a pass, which has been evaluated by now; what comes before the first step waits for that."""
        row, self._row, self._opened = self._row, 0, False
        if not row:
            return
        if row < MANY:
            self._rest()
        else:
            self._ended.append((row, self.inspection.nesting.peaks.restart(), self._site))
        self._judge()

    def _rest(self) -> None:
        """End a window of all that is no such pass."""
        self._highest = max(self._highest, self.inspection.nesting.peaks.restart())
        self._trained = self.inspection.recorder.gradients > 0

    def _judge(self) -> None:
        """Compare the peaks of passes with the highest of all else, where steps are among that."""
        if not self._trained:
            return
        passes, self._ended = self._ended, []
        for row, peak, site in passes:
            if peak > FACTOR * self._highest > 0:
                small = peak <= FACTOR * self._highest + FLOOR_BYTES
                self.inspection.recorder.fact(
                    UnevaluatedPass(losses=row, before_bytes=self._highest, peak_bytes=peak, small=small), site
                )


def is_frozen(layer: Any) -> bool:
    """Tell whether a normalisation has weights, and none of them is to be trained."""
    return "weight" in layer and "running_mean" in layer and not layer.trainable_parameters()
