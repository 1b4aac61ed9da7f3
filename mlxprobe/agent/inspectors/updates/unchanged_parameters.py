"""Whether what gradients are taken of changes from step to step."""

from __future__ import annotations

from typing import Any

from mlxprobe.agent.graph import lazy_graph
from mlxprobe.agent.inspectors.work.turns import HELD_BYTES, HELD_SHARE
from mlxprobe.agent.intercept.events import CallEvent
from mlxprobe.agent.intercept.intercepts import Observe
from mlxprobe.agent.introspection import call_site
from mlxprobe.agent.introspection.trees import is_vector
from mlxprobe.agent.recording.gradient_call import Call
from mlxprobe.agent.sampling.dispatcher import Inspection
from mlxprobe.agent.sampling.inspector import Inspector
from mlxprobe.agent.wire import bound
from mlxprobe.protocol.facts.updates import GradientsUnused, ParametersUnchanged

MANY = 8
UNCHANGED_IS_SURE = 4
NEVER_AGAIN = -1_000_000  # what has changed once is applied


def affordable(named: list[tuple[str, Any]]) -> list[tuple[str, Any]]:
    """Return the first, and as many more as may be kept alive through an update without raising the peak of memory."""
    budget = max(HELD_BYTES, HELD_SHARE * sum(one.nbytes for _, one in named))
    sizes = [sum(one.nbytes for _, one in named[: k + 1]) for k in range(len(named))]
    return [pair for k, pair in enumerate(named) if not k or sizes[k] <= budget]


class Held:
    """A few parameters of one gradient call: a model's; arguments are not, until an optimizer is given them.

    What has its values is read at once and let go of: MLX computes in place where nobody else holds what goes in.
    """

    def __init__(self, key: Any, arrays: dict[str, Any], call: Call) -> None:
        self.key = key
        self.arrays = arrays  # those that wait for their values
        self.values: dict[str, list[float]] = {}
        self.model = bound.ref(call.model) if call.model is not None else None
        self.given = [bound.ref(one) for one in arrays.values()]
        pairs = zip(lazy_graph.named_leaves(call.parameters), lazy_graph.leaves(call.gradients), strict=False)
        self.gradients = [gradient for (path, _), gradient in pairs if path in arrays]
        self.site = call.site
        self.trained = call.model is not None
        self.results = (None, []) if self.trained else (call.loss, lazy_graph.leaves(call.gradients)[:MANY])

    def read(self) -> None:
        """Keep the values, and no array."""
        some = lazy_graph.numbers_each([lazy_graph.sample(array) for array in self.arrays.values()])
        self.values, self.arrays = dict(zip(self.arrays, some, strict=True)), {}


class Parameters(Inspector):
    """Compare a few small parameters with what they were at the last look."""

    emits = (GradientsUnused, ParametersUnchanged)
    observes = (Observe("mlx.optimizers.optimizers.Optimizer.__init__", "_makes"),)
    builds_on = ("Gradients",)

    def __init__(self, inspection: Inspection) -> None:
        super().__init__(inspection)
        self._held: list[Held] = []
        self._before: dict[Any, dict[str, list[float]]] = {}
        self._unchanged: dict[Any, int] = {}  # looks that found the same, of what has never changed
        self._updates: dict[Any, int] = {}
        self._told: dict[Any, tuple[call_site.Site, Any]] = {}  # of what was said to be unchanged: where, and its model
        self._idle = 0  # looks that found the same where no optimizer had updated anything
        self._waiting: list[tuple[int, float]] = []  # gradient calls, and operations pending of each parameter
        self._site = ("", 0)
        self._nowhere = 0  # looks at which gradients of arguments had not been evaluated, and the loss had
        self._used = False  # whether ever a gradient of arguments had been
        self._optimizers = 0

    def _makes(self, event: CallEvent) -> None:
        self._optimizers += 1

    def called(self, call: Call) -> None:
        if call.parameters is None:  # of a compiled function that knows no model
            return
        named = sorted(lazy_graph.named_leaves(call.parameters), key=lambda pair: int(pair[1].size))
        some = [pair for pair in named if not is_vector(pair[1])] or named
        small = affordable([(path, one) for path, one in some if one.size][:MANY])
        self._site = call.site
        key = call.site if call.model is None else id(call.model)
        if all(one.key != key for one in self._held):
            held = Held(key, dict(small), call)
            if small and not self.inspection.pending([one for _, one in small]):
                held.read()
            elif any(is_vector(one) for _, one in small):
                return
            self._held.append(held)

    def updating(self, model: Any, optimizer: Any, gradients: Any) -> None:
        given = {id(one) for one in lazy_graph.leaves(model)}
        for held in self._held:
            held.trained |= any(id(known()) in given for known in held.given)

    def look(self, step: int) -> None:
        held, self._held = self._held, []
        for one in held:
            if one.arrays and not self.inspection.waiting.holds([*one.arrays.values()]):
                pending = self.inspection.count("parameters", list(one.arrays.values()))
                if pending and one.trained:
                    self._waiting.append((self.inspection.recorder.gradients, pending / len(one.arrays)))
                if pending == 0:
                    one.read()
            if not one.values:
                continue
            before = self._before.get(one.key)
            self._before[one.key] = one.values
            if before is not None:
                self._compare(one, before)
                self._follow(one)

    def _compare(self, held: Held, before: dict[str, list[float]]) -> None:
        """Count looks that found the same, one for each update: in between nothing is to change."""
        same = before == held.values
        if same and self._is_at_rest(held):
            return
        recorder, key = self.inspection.recorder, held.key
        since, self._updates[key] = self._updates.get(key, 0), recorder.updates
        looks = self._unchanged.get(key, 0)
        if not same:
            recorder.changed = True
            if held.model is not None and (model := held.model()) is not None:
                recorder.moves.of(model, None).changes = True
            if key in self._told:  # of two models in turn, one may wait for long
                self._take_back(key)
            self._unchanged[key] = NEVER_AGAIN
        elif recorder.updates > since and held.trained:
            self._unchanged[key] = looks + 1
            if looks + 1 >= UNCHANGED_IS_SURE and self.inspection.view.gradient != 0.0:
                site, _ = self._told.setdefault(key, (held.site, held.model))
                recorder.revise(ParametersUnchanged(looks=looks + 2), site)
        elif held.trained:
            self._idle += 1

    def _take_back(self, key: Any) -> None:
        site, _ = self._told.pop(key)
        self.inspection.recorder.revise(ParametersUnchanged(looks=0), site)

    def _has_changed(self, key: Any) -> bool:
        """Tell whether a model is another by now than it was at all looks: a snapshot that is taken once an epoch."""
        _, reference = self._told[key]
        model = reference() if reference is not None else None
        named = dict(lazy_graph.named_leaves(model.parameters())) if model is not None else {}
        now = {path: named[name] for path in self._before[key] if (name := path.partition(".")[2]) in named}
        if not now or lazy_graph.pending(list(now.values())):
            return False
        some = lazy_graph.numbers_each([lazy_graph.sample(one) for one in now.values()])
        return any(values != self._before[key][path] for path, values in zip(now, some, strict=True))

    def _is_at_rest(self, held: Held) -> bool:
        """Tell whether the gradients of all of these are zero: of a part that was given nothing, as it may be."""
        waiting = self.inspection.count("gradients at rest", held.gradients)
        if waiting != 0 or not held.gradients:
            return False
        return not any(map(any, lazy_graph.numbers_each([lazy_graph.sample(one) for one in held.gradients])))

    def _follow(self, held: Held) -> None:
        """See whether anybody has evaluated gradients of arguments, in a step that evaluates its loss."""
        loss, gradients = held.results
        if held.trained or loss is None or not gradients or self.inspection.inside:
            return
        pending = [self.inspection.count("results", [one]) for one in gradients]
        self._used |= not all(pending)
        self._nowhere += all(pending) and self.inspection.count("results", [loss]) == 0

    def finish(self) -> None:
        recorder = self.inspection.recorder
        for key in [one for one in self._told if self._has_changed(one)]:
            self._take_back(key)
        if recorder.applied or recorder.changed or recorder.moves.by_hand or recorder.gradients < UNCHANGED_IS_SURE:
            return
        nowhere = self._nowhere >= UNCHANGED_IS_SURE and not self._used and recorder.gradients >= MANY
        if self._idle or nowhere or self._only_copied():
            recorder.fact(GradientsUnused(gradients=recorder.gradients, optimizers=self._optimizers), self._site)

    def _only_copied(self) -> bool:
        """Tell whether parameters that nobody evaluates gain but the copy that each gradient call makes of them."""
        if len(self._waiting) < UNCHANGED_IS_SURE:
            return False
        (calls, before), (later, after) = self._waiting[0], self._waiting[-1]
        return before <= calls and after - before <= later - calls
