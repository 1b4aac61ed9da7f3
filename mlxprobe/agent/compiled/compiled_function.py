"""One compiled function of the program's: what its traces did, and what its calls do."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

from mlxprobe.agent.compiled.baked_constants import Constants
from mlxprobe.agent.compiled.captured_reads import Outside
from mlxprobe.agent.compiled.eager_replay import Shadows
from mlxprobe.agent.compiled.retracing import Traces, key_of
from mlxprobe.agent.compiled.trace_memory import Kept
from mlxprobe.agent.compiled.trace_timing import Pace
from mlxprobe.agent.graph import lazy_graph
from mlxprobe.agent.introspection import call_site
from mlxprobe.agent.introspection.side_effects import Effects, followed
from mlxprobe.agent.introspection.trees import Saved, containers, weak
from mlxprobe.agent.nan_origin.call_history import Origin
from mlxprobe.agent.nan_origin.call_ring import CompiledCalls
from mlxprobe.agent.patching import static
from mlxprobe.agent.patching.static import at
from mlxprobe.agent.recording.call_context import Trace
from mlxprobe.agent.recording.compile_capture import Reach
from mlxprobe.agent.recording.gradient_call import Call, loss_in
from mlxprobe.agent.recording.parameter_moves import Followed, Path, paths
from mlxprobe.agent.recording.phase_timer import TRACING
from mlxprobe.agent.recording.recorder import Recorder
from mlxprobe.agent.replay.sandbox import Sandbox
from mlxprobe.agent.sampling.dispatcher import LAZY_AT_MOST, Inspection
from mlxprobe.agent.wire import bound
from mlxprobe.protocol.facts.compilation import NotLookedInside, StateNotCaptured

KEPT_BYTES = 50_000_000  # of state that one call keeps alive: what is larger is looked into from the second call on
CONSTANTS = (bool, int, float, str, type(None))
Pair = tuple[Callable[[], Any], Callable[[], Any]]


class Compiled:
    """Tell of a compiled function's calls as of those of a plain one."""

    def __init__(
        self,
        function: Callable[..., Any],
        given: list[Any],
        site: call_site.Site,
        inspection: Inspection,
        origin: Origin,
    ) -> None:
        self._function = function
        self._captured = containers(given[0])
        self._given = given  # its inputs and outputs, as `mx.compile` was told
        self._site = site
        self._effects, self._outside = Effects(), Outside(function)
        self._effects.begins = self._outside.visit
        self._introduce(inspection, origin)
        self._times_traced, self._moved = 0, Moved(site)
        self.trains = False  # whether it was seen to compute gradients, or to update
        self._trained: dict[tuple[Any, ...], list[Pair]] = {}  # what each trace updates
        self._returned: dict[tuple[Any, ...], list[Returned]] = {}  # what each trace returns of its gradient calls
        self._why = ""  # it was not looked inside
        self._gradients = 0  # calls in a trace
        self._models: list[Callable[[], Any]] = []

    def _introduce(self, inspection: Inspection, origin: Origin) -> None:
        self._inspection, self._origin = inspection, origin
        self._recorder, self._nesting = inspection.recorder, inspection.nesting
        self._constants = Constants(inspection, self._site, self._given, self._outside)
        self.traces = Traces(self._recorder)
        self._buffers = Kept(self.traces, self)
        self._pace = Pace(self._recorder, self._site)
        self._holder = CompiledCalls(origin, self._function)
        self._stream, self._owned = -1, weak(None)  # the number of its losses, and whose they are

    def known_to(self, inspection: Inspection, origin: Origin) -> Compiled:
        """Return this, known to who looks now: what it was traced to do it does for ever."""
        if inspection is not self._inspection:
            self._introduce(inspection, origin)
        return self

    def trace(self, function: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        """Run the function, as it is given here, for MLX, which traces it."""
        trace = Trace(Reach(self._given, [args, kwargs]))
        key: Any = ()
        with self._recorder.carefully():
            self.traces.traced(args, kwargs, self._given[0])
            key = key_of(args, kwargs, self._given[0])
        depth, began = len(self._nesting.tracing), bound.monotonic()
        try:
            self._nesting.tracing.append(trace)
            self._inspection.tracing = True
            with followed(self._effects), self._outside.begins(), self._constants.drawing([args, kwargs], key):
                result = function(*args, **kwargs)
            with self._recorder.carefully():
                trace.reach.returns(result)
                for what, needed in (found for update in trace.updated for found in update.uncaptured(trace.reach)):
                    self._recorder.fact(StateNotCaptured(what=what, needed=needed), self._site)
        finally:
            del self._nesting.tracing[depth:]
            self._inspection.tracing = False
            self._times_traced += 1
            with self._recorder.carefully():
                self._recorder.phases.took(TRACING, began, bound.monotonic())
                self._trained[branch(args, kwargs)] = [(weak(one.model), weak(one.optimizer)) for one in trace.updated]
        with self._recorder.carefully():
            self._recorder.tick()
            self._remember(trace, args, kwargs, result)
        self.trains = bool(self._gradients or any(self._trained.values()))
        return result

    def _remember(self, trace: Trace, args: Any, kwargs: Any, result: Any) -> None:
        self._pace.traced(lazy_graph.leaves([result, self._given[1]]))
        places = {id(one): k for k, one in enumerate(lazy_graph.leaves(result))}
        returned = [Returned(call, places) for call in trace.calls]
        self._returned[branch(args, kwargs)] = returned if all(one.is_whole for one in returned) else []
        self._gradients = len(trace.calls)
        self._moved.traced(trace.calls, [args, kwargs], result, by_optimizer=bool(trace.updated))
        self._captured = containers([self._given[0], [call.model for call in trace.calls]])
        self._models = [weak(call.model) for call in trace.calls if call.model is not None]
        models = [call.model for call in trace.calls] + [known() for known in self._effects.roots]
        self._constants.traced(trace, [args, kwargs], result, models, self._effects.reads)

    def call(self, call: Callable[..., Any], args: Any, kwargs: Any, shadows: Shadows) -> Any:
        """Call the function for the program."""
        recorder, times = self._recorder, self._times_traced
        begins, given, before = self.trains or not times, None, None
        try:
            given = self._begins(begins, args, kwargs, shadows)
            before = self._kept(shadows) if not times else None
            self._pace.begins(known=not self._buffers.is_new)
        except Exception as error:
            recorder.failed(error)
        result = call(*args, **kwargs)
        traced = self._times_traced > times
        try:
            if traced:
                recorder.tick()
            self._pace.ends(traced=traced)
            if before is not None and self._gradients:
                with recorder.carefully():
                    self._look_back(before, args, kwargs, shadows)
            self._ends(given, args, kwargs, result, traced=traced)
        except Exception as error:
            recorder.failed(error)
        if begins and not self.trains:
            recorder.phases.goes_on()
        return result

    def _begins(self, begins: bool, args: Any, kwargs: Any, shadows: Shadows) -> list[Any] | None:
        recorder, inspection = self._recorder, self._inspection
        if begins:
            recorder.gradient_begins()
        self._moved.begins(recorder, [args, kwargs])
        if inspection.home.here():
            self._holder.begin(args, kwargs, self._captured)
        if self._gradients and inspection.due and shadows.is_due(recorder.step + 1):
            with recorder.carefully():
                self._look_inside(args, kwargs, shadows)
                self._origin.asked()
        return self._buffers.calling(recorder.step, self._given[0], self._models, args, kwargs)

    def _ends(self, given: Any, args: Any, kwargs: Any, result: Any, *, traced: bool) -> None:
        recorder, inspection = self._recorder, self._inspection
        self.traces.called()
        if self._constants.called(traced=traced):
            self._constants.look(functools.partial(key_of, args, kwargs, self._given[0]))
        if traced and not inspection.busy:
            drawn, outputs = given if recorder.lazy_steps <= LAZY_AT_MOST else None, [result, self._given[1]]
            inspection.at_our_cost(self._buffers.traced, drawn, outputs, self._pace.operations, recorder.step)
        if self.trains:
            self._tell(args, kwargs, result)

    def _tell(self, args: Any, kwargs: Any, result: Any) -> None:
        """Tell of the gradient calls and the updates that a call has made."""
        recorder, inspection, key = self._recorder, self._inspection, branch(args, kwargs)
        updates = [(one(), other()) for one, other in self._trained.get(key, ())]
        self._moved.ends(recorder, [args, kwargs])
        due = inspection.due
        if due:
            inspection.given((*args, *kwargs.values()))
        owner = self._owner(updates)
        if self._gradients:
            if self._owned() is not owner:
                self._stream, self._owned = -1, weak(owner)
            self._stream = recorder.gradient_ends(loss_in(result), owner, self._stream, model=owner is not None)
        for returned in self._returned.get(key, ()) if due else ():
            inspection.called(functools.partial(returned.call, result))
        for given, optimizer in updates:
            model = given if given or owner is None else owner
            recorder.updated(model, optimizer)
            if inspection.due:
                inspection.training(model, optimizer)

    def _owner(self, updates: list[tuple[Any, Any]]) -> Any:
        """Return the module whose losses these are: an optimizer may be given a plain dict of its parameters."""
        for model, _ in updates:
            if static.is_module(model):
                return model
        known = [one for pairs in self._trained.values() for one, _ in pairs] + self._models
        return next((model for one in known if static.is_module(model := one())), None)

    def _kept(self, shadows: Shadows) -> Saved | None:
        """Keep what a first call is given: only its trace tells what there is to look into."""
        if self._times_traced or not shadows.is_due(self._recorder.step + 1):
            return None
        saved = Saved(self._given)
        return saved if sum(one.nbytes for one in saved.arrays()) <= KEPT_BYTES else None

    def _look_back(self, before: Saved, args: Any, kwargs: Any, shadows: Shadows) -> None:
        """Look into the first call, from the state that it began with; its random numbers cannot be drawn again."""
        if self._constants.drawn:
            return

        def look() -> None:
            before.put_back()
            self._look_inside(args, kwargs, shadows, draws=False)

        Sandbox(self._inspection.nesting, self._given, draws=False).run(look)

    def _look_inside(self, args: Any, kwargs: Any, shadows: Shadows, *, draws: bool = True) -> None:
        known = [one for pairs in self._trained.values() for pair in pairs for one in pair]
        known += [*self._models, *self._effects.roots]
        live = [model for one in known if (model := one()) is not None]
        sandbox = Sandbox(self._inspection.nesting, self._given, live, effects=self._effects, draws=draws)
        why = shadows.obstacle(sandbox)
        self._inspection.returned = bool(self._returned.get(branch(args, kwargs)))
        why = why or shadows.take(self._function, (args, kwargs), sandbox)
        if why and why != self._why and draws:  # of a first call: an optimizer may not have set up its state
            self._why = why
            self._recorder.fact(NotLookedInside(why=why), self._site)


class Returned:
    """A gradient call in a trace whose loss and gradients are among what the compiled function returns."""

    def __init__(self, call: Call, places: dict[int, int]) -> None:
        named = lazy_graph.named_leaves(call.gradients)
        self._gradients = {path: places[id(one)] for path, one in named if id(one) in places}
        self._loss = places.get(id(call.loss), -1)
        self._model = weak(call.model)
        self._scalings, self._site = call.scalings, call.site
        self.is_whole = bool(named) and len(self._gradients) == len(named)

    def call(self, result: Any) -> Call:
        """Describe the gradient call by what the compiled function has returned."""
        arrays, model = lazy_graph.leaves(result), self._model()
        return Call(
            model=model,
            parameters=model.trainable_parameters() if static.is_module(model) else None,
            data={},
            loss=arrays[self._loss] if self._loss >= 0 else None,
            gradients={path: arrays[k] for path, k in self._gradients.items()},
            site=self._site,
            scalings=-1 if self._scalings is None else self._scalings,
        )


def branch(args: Any, kwargs: Any) -> tuple[Any, ...]:
    """Tell calls apart that run different traces: by their numbers, words and flags, and by the kinds of the rest."""
    return tuple([one if issubclass(type(one), CONSTANTS) else type(one).__name__ for one in (*args, *kwargs.values())])


class Parameters(NamedTuple):
    """The parameters of one gradient call in a trace: a model's, or some of the function's arguments."""

    is_model: bool
    model: Callable[[], Any]
    places: list[Path]
    changes: bool  # whether the function computes new ones


class Moved:
    """The parameters of the gradient calls in a compiled function."""

    def __init__(self, site: tuple[str, int]) -> None:
        self._site = site
        self._seen: list[Parameters] = []
        self._followed: list[tuple[Parameters, Followed]] = []
        self._recorder: Recorder | None = None  # that these are known to

    def traced(self, calls: list[Call], given: Any, result: Any, *, by_optimizer: bool) -> None:
        """Take in what a trace has shown; its arrays have no values."""
        self._recorder = None
        seen = [_of_model(one) if one.model is not None else _of_arguments(one, given, result) for one in calls]
        self._seen = [one for one in seen if one.places and not by_optimizer]

    def _introduce(self, recorder: Recorder, given: Any) -> None:
        self._recorder, self._followed = recorder, []
        for one in self._seen:
            key = recorder.moves.of(one.model(), None) if one.is_model else recorder.moves.add(self._site)
            key.follow(one.places)
            key.is_sure |= one.changes
            self._followed.append((one, key))
            if not one.is_model:
                key.begins(given, recorder.updates)  # of a function that was compiled again

    def begins(self, recorder: Recorder, given: Any) -> None:
        """The function is called."""
        if recorder is not self._recorder:
            return  # no call has ended that it knows of
        for one, moves in self._followed:
            moves.begins({"": one.model()} if one.is_model else given, recorder.updates)

    def ends(self, recorder: Recorder, given: Any) -> None:
        """It has returned."""
        if recorder is not self._recorder:
            self._introduce(recorder, given)
        for one, moves in self._followed:
            moves.updates += one.is_model and one.changes
            moves.ends({"": one.model()} if one.is_model else given, one.model())


def _of_model(call: Call) -> Parameters:
    changes = any(at(call.model, path) is not one for path, one in call.left)
    return Parameters(True, weak(call.model), [("", *path) for path, _ in call.left], changes)


def _of_arguments(call: Call, given: Any, result: Any) -> Parameters:
    """Find the parameters among the arguments, and see whether others of their shapes are returned."""
    taken = {id(one) for one in lazy_graph.leaves(call.parameters)}
    places = paths(given, lambda one: id(one) in taken)
    known = {id(one) for one in lazy_graph.leaves([call.gradients, given])}
    shapes = [at(given, path).shape for path in places]
    changes = any(one.shape in shapes and id(one) not in known for one in lazy_graph.leaves(result))
    return Parameters(False, weak(None), places, changes)
