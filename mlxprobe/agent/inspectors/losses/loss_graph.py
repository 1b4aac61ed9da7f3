"""The graph of the loss: whether the labels are in it, how it was averaged, and log-softmax built by hand."""

from __future__ import annotations

from collections import deque
from typing import Any

from mlxprobe.agent.graph import lazy_graph
from mlxprobe.agent.graph.loss_classifier import LossKind
from mlxprobe.agent.intercept.events import CallEvent
from mlxprobe.agent.intercept.intercepts import Observe
from mlxprobe.agent.intercept.states import OURS, SAMPLED
from mlxprobe.agent.introspection import call_site, isolated_import
from mlxprobe.agent.recording.gradient_call import Call
from mlxprobe.agent.sampling.dispatcher import Inspection
from mlxprobe.agent.sampling.in_gradients import in_gradients
from mlxprobe.agent.sampling.inspector import Inspector
from mlxprobe.protocol.facts.losses import (
    ArgumentUnused,
    AttentionTransposed,
    HandWrittenLogSoftmax,
    LossGraphSeen,
    NoLabels,
    SquashedTwice,
    Supervision,
    TwoClasses,
)

KEPT = 8  # the last of a kind of a call: a loss is given one of these
FEWEST, MOST = 8, 4096  # elements of what an exponential is taken of
UNREACHED_IS_SURE = 2
WHAT = "loss"
LAZY = 1  # steps without an evaluation: beyond, every loss holds all of them
READ_COSTS = 3.0  # times what drawing does
MANY = 3000  # operations of a loss, among which the longest chain is looked for, once


class Losses(Inspector):
    """Export the loss before it is evaluated, with the program's own arrays named, and read the graph."""

    emits = (
        ArgumentUnused,
        HandWrittenLogSoftmax,
        LossGraphSeen,
        NoLabels,
        SquashedTwice,
        Supervision,
        TwoClasses,
        AttentionTransposed,
    )
    observes = (Observe("mlx.core.log", "_logs", needs=SAMPLED, never=OURS),)
    shadows = True

    def __init__(self, inspection: Inspection) -> None:
        super().__init__(inspection)
        self._unreached: dict[tuple[Any, str], int] = {}  # by gradient call and argument
        self._read_on_host: set[tuple[Any, str]] = set()  # of those, what may reach the loss by Python's numbers
        self._host: set[Any] = set()  # types of what this call has read
        self._reached: set[tuple[Any, str]] = set()
        self._told: dict[Any, tuple[set[str], tuple[str, int], str]] = {}
        self._supervised: dict[int, Supervision] = {}  # by the number of their losses
        self._target: tuple[int, Any, tuple[str, int]] | None = None  # what outputs were compared with, and whose
        self._of_two: set[int] = set()  # losses with targets of zeros and ones
        self._label_free = 0
        self._seen = self._measured = False
        self._log_site = ("", 0)
        self._squashes = Squashes()
        inspection.intercepts.add(self, Squashes.observes, self._squashes)
        self._turned = 0  # looks at weights along another axis

    def _logs(self, event: CallEvent) -> None:
        self._log_site = call_site.calling()

    def calling(self) -> None:
        self.inspection.recorder.host = set()
        self._log_site = call_site.NOWHERE

    def called(self, call: Call) -> None:
        recorder, looks = self.inspection.recorder, self.inspection.looks
        self._host, recorder.host = recorder.host or set(), None
        known = WHAT, recorder.gradients, recorder.lazy_steps
        if call.scalings is not None:
            self.inspection.view.scalings = call.scalings
        elif call.loss is not None and self.inspection.inside:
            self._read(call, 1)
        elif call.loss is not None and recorder.lazy_steps <= LAZY and looks.affords(*known, READ_COSTS):
            looks.drawn(*known[:2], self._read(call, 1), READ_COSTS)

    def called_in_trace(self, call: Call) -> None:
        if call.loss is not None:
            self._read(call, UNREACHED_IS_SURE)  # every call of the function does what its trace does
            call.scalings = self.inspection.view.scalings

    def _read(self, call: Call, weight: int) -> int:
        """Read the loss and tell what is sure by now; return how many operations were drawn."""
        import mlx.core as mx

        named, view = unique(call.data), self.inspection.view
        arrays = {f"a{k}": one for k, (_, one) in enumerate(named)}
        held = self._squashes.let_go()
        dot = lazy_graph.dot(loss=call.loss, **{name: one.array for name, one in held.items()}, **arrays)
        drawn = LossKind(dot, frozenset(arrays))
        if not drawn.found:
            return drawn.operations  # evaluated inside the function
        if not self._seen:
            self._seen = True
            self.inspection.recorder.fact(LossGraphSeen(), call.site)
        view.scalings = drawn.scalings()
        if drawn.operations >= MANY and not self._measured:
            self._measured = True
            view.longest_chain = drawn.longest()
        self._tell_supervision(call, drawn, arrays)
        view.fed.update(id(arrays[name]) for name in drawn.into_layers())
        reached = [name for k, (name, _) in enumerate(named) if drawn.reaches(f"a{k}")]
        past = {named[int(name[1:])][0] for name in drawn.past_layers()}
        missing = [name for name, _ in named if name not in reached]
        if missing:
            self._hear_of_the_host(call, {name: one.dtype for name, one in named if name in missing})
        integers = {name for name, one in arrays.items() if mx.issubdtype(one.dtype, mx.integer)}
        ids = [name for k, (name, _) in enumerate(named) if name in missing and f"a{k}" in integers]
        rewarded = any(is_amount(arrays[name]) for name in drawn.past_layers()) and drawn.picks_largest()
        itself, greedy = bool(reached) and past.issuperset(reached), ids if rewarded else []
        self._tell_unreached(call, missing, reached, weight, itself=itself, greedy=greedy)
        heard = any((call.site, name) in self._read_on_host for name in missing)
        if arrays.keys() == integers and not heard and drawn.label_free(integers):
            self._label_free += weight
            if self._label_free >= UNREACHED_IS_SURE > self._label_free - weight:
                site, seen = call_site.blamed(call.loses(""), call.site)
                self.inspection.recorder.fact(NoLabels(seen=seen), site)
        kind = drawn.hand_written()
        if kind and (kind != "stable" or self._log_site[1]):  # MLX's own goes along other axes in as many operations
            site = self._log_site if self._log_site[1] else call.site
            self.inspection.recorder.fact(HandWrittenLogSoftmax(kind=kind), site)
        self._tell_squashed(call, drawn, held, weight)
        self._look_for_ratios(drawn, held, dict(named), arrays)
        for kind, target, made in () if self.inspection.tracing else drawn.bounded():
            where = held[made].site if made in held else call_site.NOWHERE
            view.bounded.append((kind, arrays[target], where))
        return drawn.operations

    def _tell_squashed(self, call: Call, drawn: LossKind, held: dict[str, Held], weight: int) -> None:
        """Tell of what is squashed twice, and of weights that are a softmax along another axis than is summed."""
        kind, first = drawn.squashed()
        if kind:
            site, seen = call_site.blamed(held[first].site if first in held else call.loses(""), call.site)
            self.inspection.recorder.fact(SquashedTwice(kind=kind, seen=seen), site)
        turned = next((one for name, one in held.items() if name[0] == "w" and drawn.weighs_across(name)), None)
        if turned is not None:
            self._turned += weight
            if self._turned >= UNREACHED_IS_SURE > self._turned - weight:
                told = AttentionTransposed(axis=turned.axis, shape=str(tuple(turned.array.shape)))
                self.inspection.recorder.fact(told, turned.site)

    def _look_for_ratios(
        self, drawn: LossKind, held: dict[str, Held], names: dict[str, Any], arrays: dict[str, Any]
    ) -> None:
        """Note exponentials of what is computed less an argument: of log-probabilities and what they were, it may be.

        `names` are the arrays by what the program calls them, `arrays` by what they are called here.
        """
        for name, one in held.items():
            less = drawn.less(name) if name[0] == "e" and not self.inspection.tracing else ""
            if less and arrays[less].size == one.array.size and is_amount(arrays[less]):
                called = next(key for key, array in names.items() if array is arrays[less])
                self.inspection.view.ratios.append((one, called, arrays[less]))

    def _tell_supervision(self, call: Call, drawn: LossKind, arrays: dict[str, Any]) -> None:
        """Tell whether outputs are compared with one given target; the last look holds, with all weights evaluated.

        A policy's actions come with their returns, a preference with another text: their loss need not fall. Nor need
        one that is weighed by what the model itself makes of it.
        """
        recorder = self.inspection.recorder
        indices = drawn.indices() & (past := drawn.past_layers())
        others = [arrays[name] for name in past - indices]
        amounts = [one for one in others if is_amount(one) and not self._is_mask(one)]
        compared = len(indices) + len(amounts) == 1 or (len(others) == 1 and not indices and not amounts)
        supervised = compared and not drawn.weighs_itself()
        stream = recorder.stream(call.model)
        whole = [one for one in others if not is_amount(one)]
        kind, targets = drawn.compares(classes=bool(indices)), [arrays[name] for name in indices] or amounts or whole
        if supervised and len(targets) == 1 and kind and not self.inspection.tracing:
            self.inspection.view.targets.append((stream, kind, targets[0]))
        alone = [*indices, *(name for name in past - indices if compared)]
        if compared and len(alone) == 1 and not (self.inspection.tracing or drawn.enters_layer(alone[0])):
            self.inspection.view.compared.append((stream, arrays[alone[0]]))
            self.inspection.view.squared = {id(arrays[alone[0]])} if kind == "square" else set()
        if len(others) == 1 and not (indices or self.inspection.tracing or stream in self._of_two):
            self._target = stream, others[0], call.site
        told = Supervision(stream=stream, supervised=supervised, single=drawn.is_single())
        if self._supervised.get(stream) != told:
            self._supervised[stream] = told
            recorder.revise(told, call.site)

    def forget(self) -> None:
        self._target = None
        self._squashes.let_go()

    def look(self, step: int) -> None:
        """Tell of targets that are zeros and ones, once they are evaluated."""
        target = self._target
        self.forget()
        if target is not None and self._is_mask(target[1]):
            self._of_two.add(target[0])
            self.inspection.recorder.fact(TwoClasses(stream=target[0]), target[2])

    def _is_mask(self, one: Any) -> bool:
        """Tell whether an array holds nothing but zeros and ones, where that can be read."""
        return not self.inspection.tracing and not self.inspection.pending([one]) and lazy_graph.is_mask(one)

    def _hear_of_the_host(self, call: Call, types: dict[str, Any]) -> None:
        """Note the arguments whose numbers Python may have: they reach the loss by a way that no graph shows."""
        with isolated_import.importable():
            from mlxprobe.agent.introspection import blame

        numpy = blame.uses_numpy(call.function)
        self._read_on_host |= {(call.site, name) for name, one in types.items() if numpy or one in self._host}

    def _tell_unreached(
        self, call: Call, names: list[str], reached: list[str], weight: int, *, itself: bool, greedy: list[str]
    ) -> None:
        """Tell of arguments that reach no loss; one that has reached a single one never counts, nor any longer.

        A loss of several tasks takes the labels of one at a time. One that compares an input with `itself` needs none.
        """
        site = call.site
        self._reached |= {(site, name) for name in reached}
        told, place, seen = self._told.get(site, (set(), call_site.NOWHERE, ""))
        before = {name: self._unreached.get((site, name), 0) for name in names}
        self._unreached |= {(site, name): count + weight for name, count in before.items()}
        sure = {name for name, count in before.items() if count + weight >= UNREACHED_IS_SURE}
        sure = {name for name in told | sure if (site, name) not in self._reached}
        if sure != told:
            if not told:  # what is taken back is taken back there
                place, seen = call_site.blamed(call.loses(min(sure)), site)
            self._told[site] = sure, place, seen
            fact = ArgumentUnused(
                names=tuple(sorted(sure)),
                reached=tuple(reached),
                read=tuple(sorted(name for name in sure if (site, name) in self._read_on_host)),
                itself=itself,
                greedy=tuple(greedy),
                seen=seen,
            )
            self.inspection.recorder.revise(fact, place)


def is_amount(one: Any) -> bool:
    """Tell whether an array is of floating-point numbers, and not of ids, lengths or truths."""
    import mlx.core as mx

    return bool(mx.issubdtype(one.dtype, mx.floating))


def unique(data: dict[str, Any]) -> list[tuple[str, Any]]:
    """List the arrays among a call's arguments, each under its first name."""
    seen: dict[int, tuple[str, Any]] = {}
    for name, value in data.items():
        for path, one in lazy_graph.named_leaves(value):
            seen.setdefault(id(one), (f"{name}.{path}".rstrip("."), one))
    return list(seen.values())


class Held:
    """A result; of an exponential, what it is of."""

    def __init__(self, array: Any, axis: int = -1) -> None:
        self.array = array
        self.axis = axis
        self.site = call_site.calling()


class Squashes:
    """Hold the last ones while a gradient call that is looked at or traced lasts.

    By name they are `s…`, those of them that are no softmax along the last axis `w…`, exponents `e…`, and what is cut
    off below zero `r…`.
    """

    observes = (
        *in_gradients("mlx.core.softmax", "_squashed", after=True),
        *in_gradients("mlx.core.sigmoid", "_squashed", after=True),
        *in_gradients("mlx.core.exp", "_raised", after=True),
        *in_gradients("mlx.nn.layers.activations.relu", "_rectified", after=True),
        *in_gradients("mlx.nn.layers.activations.ReLU.__call__", "_rectified", after=True),
    )

    def __init__(self) -> None:
        self._held: dict[str, deque[Held]] = {kind: deque(maxlen=KEPT) for kind in "swer"}

    def _squashed(self, event: CallEvent) -> None:
        made, axis = event.result, event["axis"]
        turned = isinstance(axis, int) and made.ndim > 1 and axis % made.ndim < made.ndim - 1
        self._held["w" if turned else "s"].append(Held(made, axis % made.ndim if turned else -1))

    def _rectified(self, event: CallEvent) -> None:
        self._held["r"].append(Held(event.result))

    def _raised(self, event: CallEvent) -> None:
        if FEWEST <= event.result.size <= MOST:
            self._held["e"].append(Held(event["a"]))

    def let_go(self) -> dict[str, Held]:
        """Return what is held, by name, and hold it no more."""
        found = {f"{kind}{k}": one for kind, some in self._held.items() for k, one in enumerate(some)}
        for some in self._held.values():
            some.clear()
        return found
