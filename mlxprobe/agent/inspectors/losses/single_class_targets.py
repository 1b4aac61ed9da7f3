"""Targets of one value alone, and a last layer that is always pushed towards it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mlxprobe.agent.graph import lazy_graph
from mlxprobe.agent.graph.dataflow import LossGraph
from mlxprobe.agent.intercept.events import CallEvent
from mlxprobe.agent.intercept.intercepts import Observe
from mlxprobe.agent.intercept.states import GRADIENT, OURS, SAMPLED, TRACE
from mlxprobe.agent.patching import static
from mlxprobe.agent.recording.gradient_call import Call
from mlxprobe.agent.sampling.dispatcher import Inspection
from mlxprobe.agent.sampling.inspector import Inspector
from mlxprobe.agent.wire import bound
from mlxprobe.protocol.facts.losses import OneOutcome

SURE, FILLED, LOOKS, MOST = 8, 5, 24, 8  # looks, of them where targets are filled, at most; losses of a call
ENOUGH, PUSHED = 200, 4  # values that were read; looks at which the gradient was not zero
LARGE = 1 << 16  # elements of a loss
ROUNDING = 1e-6


Seen = tuple["Model", list[Any], dict[str, Any], tuple[str, int]]


class Model:
    """What was seen of the losses of one model."""

    def __init__(self) -> None:
        self.looks = self.read = 0
        self.over = self.told = self.filled = False
        self.value: float | None = None
        self.classes = 0
        self.pushed: dict[str, int] = {}  # by bias, looks at which it was pushed towards that value
        self.back: set[str] = set()  # biases that were pushed elsewhere, too
        self.head = ""  # the bias that is added last
        self.model: Callable[[], Any] = lambda: None

    def biases(self) -> list[tuple[str, Any]]:
        """List what a gradient is being taken of, that may be the last bias."""
        model = self.model()
        named = lazy_graph.named_leaves(model.trainable_parameters()) if static.is_module(model) else []
        return [(path, one) for path, one in named if one.ndim == 1 and one.size == self.classes]


class Outcomes(Inspector):
    """Hold the targets of MLX's own losses of classes, and what came back for biases that may be the last."""

    emits = (OneOutcome,)
    observes = (
        Observe("mlx.nn.losses.binary_cross_entropy", "_of_two", needs=SAMPLED | GRADIENT, never=OURS | TRACE),
        Observe("mlx.nn.losses.cross_entropy", "_of_classes", needs=SAMPLED | GRADIENT, never=OURS | TRACE),
    )
    shadows = True

    def __init__(self, inspection: Inspection) -> None:
        super().__init__(inspection)
        self._made: list[tuple[Any, Any]] = []  # logits and targets, of the call under way
        self._held: list[Seen] = []
        self._late: list[Seen] = []  # of models that are trained in turn, and evaluated together
        self._known: dict[int, Model] = {}
        self._biases: dict[int, list[tuple[str, Any]]] = {}  # of the call under way, by model

    def _of_two(self, event: CallEvent) -> None:
        self._hold(event["inputs"], event["targets"])

    def _of_classes(self, event: CallEvent) -> None:
        self._hold(event["logits"], event["targets"])

    def _hold(self, made: Any, targets: Any) -> None:
        if static.is_array(made) and static.is_array(targets) and len(self._made) < MOST:
            self._made.append((made, targets))
            for key, one in self._known.items():
                if one.looks >= FILLED - 1 and not (one.head or one.over):
                    self._biases[key] = one.biases()

    def calling(self) -> None:
        self._made, self._biases = [], {}

    def called(self, call: Call) -> None:
        made, biases, self._made, self._biases = self._made, self._biases.get(id(call.model), []), [], {}
        known = self._known.get(id(call.model)) if call.model is not None else None
        if known is None and made and call.model is not None:
            known = self._known[id(call.model)] = Model()
            known.model = bound.ref(call.model)
        if known is None or known.over or known.looks >= LOOKS:
            return
        widths = {width(*one) for one in made if one[0].ndim} or {known.classes}
        fits = len(widths) == 1 and all(one.ndim and one.size <= LARGE for one, _ in made)
        if not fits or (known.classes and widths != {known.classes}) or len(made) == MOST:
            known.over = True
        known.classes = min(widths)
        if known.looks >= FILLED - 1 and biases and call.loss is not None and not known.head:
            known.head, known.filled = last_bias(call, biases, made)
            known.over = known.over or not known.head
        gradients = {
            path: one
            for path, one in lazy_graph.named_leaves(call.gradients)
            if one.ndim == 1 and one.size == known.classes
        }
        self._held.append((known, [one for _, one in made], gradients, call.site))

    def forget(self) -> None:
        self._held, self._late, self._made = [], [], []

    def look(self, step: int) -> None:
        held, late = [*self._late, *self._held], self._held
        self.forget()
        for one in held:
            known, targets, gradients, site = one
            if self.inspection.pending([*targets, *gradients.values()]):
                self._late += [one] * any(one is other for other in late)  # arrays are not to be compared
            else:
                self._read(known, targets)
                self._follow(known, gradients)
                self._tell(known, site)

    @staticmethod
    def _read(known: Model, targets: list[Any]) -> None:
        import mlx.core as mx

        ends = [lazy_graph.number(end.astype(mx.float32)) for one in targets for end in (mx.min(one), mx.max(one))]
        known.value = ends[0] if ends and known.value is None else known.value
        known.over = known.over or any(end != known.value for end in ends)
        known.looks += bool(targets)
        known.read += sum(one.size for one in targets)

    @staticmethod
    def _follow(known: Model, gradients: dict[str, Any]) -> None:
        """Compare what came back for biases with what a target of that value alone gives."""
        for path, one in gradients.items() if known.value is not None else ():
            towards = [
                -each if (known.value == k if known.classes > 1 else known.value == 1) else each
                for k, each in enumerate(lazy_graph.numbers(one))
            ]
            known.pushed[path] = known.pushed.get(path, 0) + (max(towards) > ROUNDING)
            if min(towards) < -ROUNDING:
                known.back.add(path)

    def _tell(self, known: Model, site: tuple[str, int]) -> None:
        sure = not known.over and known.head not in known.back and known.pushed.get(known.head, 0) >= PUSHED
        sure = sure and known.looks >= (FILLED if known.filled else SURE) and known.read >= ENOUGH
        if known.value is not None and (sure or known.told):
            known.told = True
            told = OneOutcome(
                value=known.value,
                read=known.read,
                filled=known.filled,
                classes=known.classes,
                looks=known.looks * sure,
            )
            self.inspection.recorder.revise(told, site)


def width(logits: Any, targets: Any) -> int:
    """Return how many logits there are for a target; of one each, in a row, one."""
    return 1 if logits.shape == targets.shape == logits.shape[:1] else int(logits.shape[-1])


def last_bias(call: Call, biases: list[tuple[str, Any]], made: list[tuple[Any, Any]]) -> tuple[str, bool]:
    """Name the trained bias that all logits have been added last, and nothing else; and whether targets are filled."""
    arrays = {f"b{k}": one for k, (_, one) in enumerate(biases)}
    logits, targets = ({f"{'zt'[k]}{id(pair[k])}": pair[k] for pair in made} for k in (0, 1))  # one array has one name
    drawn = LossGraph(lazy_graph.dot(loss=call.loss, **arrays, **logits, **targets), frozenset(arrays))
    paths = [path for k, (path, _) in enumerate(biases) if drawn.adds_last(f"b{k}", set(logits))]
    return (paths[0] if len(paths) == 1 else ""), all(map(drawn.is_filled, targets))
