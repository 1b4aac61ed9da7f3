"""Look closely at some steps, and keep what that costs and evaluates from counting as the program's."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from mlxprobe.agent.graph import lazy_graph
from mlxprobe.agent.intercept.intercepts import Intercepts
from mlxprobe.agent.intercept.states import GRADIENT, INSIDE, MAPPED, OURS, REPLAY, SAMPLED, TRACE
from mlxprobe.agent.introspection import isolated_import
from mlxprobe.agent.recording.call_context import Home, Nesting
from mlxprobe.agent.recording.gradient_call import Call
from mlxprobe.agent.recording.recorder import NEVER, Recorder
from mlxprobe.agent.recording.row_ledger import Ledger
from mlxprobe.agent.sampling.inspector import Inspector, missing
from mlxprobe.agent.sampling.overhead_budget import Looks, is_landmark, next_landmark
from mlxprobe.agent.sampling.pending_ops import UPDATE, Backlog
from mlxprobe.agent.sampling.step_view import StepView
from mlxprobe.agent.sampling.waiting import Waiting
from mlxprobe.agent.wire import bound


class Wishes:
    """Whether the next step is to be looked at, whatever it costs: it may be wished at any time, also between looks."""

    def __init__(self, recorder: Recorder) -> None:
        self.recorder = recorder
        self._wanted = False
        self.picked: list[tuple[Any, Any]] | None = None  # by targets, from what, while a loss is called anew by us
        self.heard: list[Any] = []  # calls of a model within the last gradient call, at a few steps
        self.often: Counter[int] = Counter()  # how many calls of each there were, by the model's id
        self.often_at: tuple[str, int] | None = None  # where the last of many were
        self.attends = False  # whether the place where the mask of an attention is decided is asked for
        self.doubted = False  # whether what is or will be told may prove wrong: landmarks are looked at anyhow then
        self.asking: Callable[[], bool] | None = None  # before the next step: whether it is to be sampled
        self.rows = Ledger()
        self.alone = 0  # calls of a trained model with one row, outside of gradient calls

    def ask(self, question: Callable[[], bool]) -> None:
        """Have a question answered before the next step: whether that is to be sampled. The last one counts."""
        self.asking = question
        self.recorder.wake()

    def answered(self) -> bool:
        """Answer the question that waits, if any, once."""
        question, self.asking = self.asking, None
        return question is not None and question()

    @property
    def wanted(self) -> bool:
        """Whether an inspector wants it."""
        return self._wanted

    @wanted.setter
    def wanted(self, value: bool) -> None:
        self._wanted = value
        if value:
            self.recorder.wake()


T = TypeVar("T")
LAZY_AT_MOST = 3  # steps without an evaluation: beyond, every graph holds all of them


class Inspection(Wishes):
    """Hand events to the inspectors; one that fails is told of and left out, and never fails the program."""

    def __init__(self, recorder: Recorder, kinds: Iterable[type[Inspector]]) -> None:
        super().__init__(recorder)
        self.due = True
        self.busy = self.tracing = False
        self.inside = False  # of an eager run of a compiled function: whatever is in it is ours, and may be evaluated
        self.returned = False  # whether that function returns its gradients, and so tells of them itself
        self.view = StepView()
        self.sources = 0  # arrays with data of their own behind parameters and state, when those were last drawn
        self.schedules: dict[int, tuple[str, int]] = {}  # by function: its words, and how many updates
        self.setting: list[Callable[[Any], None]] = []  # told of a module whose parameters are set, by MLX or not
        self.took: Callable[[Any], None] | None = None  # told of a module that has got some, within no call of MLX's
        self.nesting = Nesting()
        self.looks = Looks()
        self.backlog = Backlog(recorder, self.looks, self.count)
        self.waiting = Waiting(recorder)
        self._kinds = tuple(kinds)
        self._inspectors: list[Inspector] = []
        self.intercepts = Intercepts(self, self._observer_failed)
        self.home = Home()
        self._models: dict[int, Any] = {}  # references to those that gradients are taken of, by identity
        self._speaks = ""  # the inspector that is being told
        for kind in self._kinds:
            try:
                self._inspectors.append(one := kind(self))
                self.intercepts.add(one, kind.observes)
            except Exception as error:
                self.recorder.lost(kind.__name__, error, missing(kind, self._kinds))

    def imported(self, name: str, module: Any) -> None:
        """Wrap what is observed of a module of MLX's that has been imported, and tell of it."""
        self.intercepts.imported(name, module)
        self._each(lambda one: one.imported(name, module))

    def state(self) -> int:
        """Return where the program is, as flags of `intercept.states`."""
        nesting = self.nesting
        found = SAMPLED if self.due else 0
        if nesting.depth:
            found |= GRADIENT
        if nesting.tracing or self.tracing:
            found |= TRACE
        if self.busy:
            found |= OURS
        if self.inside:
            found |= INSIDE
        if nesting.replay:
            found |= REPLAY
        return found | MAPPED if nesting.mapped else found

    def _observer_failed(self, owner: Any, error: Exception) -> bool:
        """Report an observer that has raised; tell whether it is told nothing more (see `Recorder.lost`)."""
        try:
            if not isinstance(owner, Inspector):
                self.recorder.failed(error)
                return False
            gone = self.recorder.lost(type(owner).__name__, error, missing(type(owner), self._kinds))
        finally:
            del error  # its traceback holds this call, and so itself
        if gone and owner in self._inspectors:
            self._inspectors.remove(owner)
        return gone

    def calling(self) -> None:
        """Tell of a gradient call that begins."""
        if self.tracing or (self.due and not self.busy and self.home.here()):
            turns = self._turns()
            self.at_our_cost(self._each, lambda one: one.calling_in_trace() if self.tracing else one.calling(), turns)

    def called(self, call: Callable[[], Call]) -> None:
        """Tell of a gradient call."""
        self.looks.began_s = self.looks.began_s or bound.monotonic()
        if self.due and not self.busy and self.home.here():
            self.at_our_cost(lambda: self._called(call()))

    def _called(self, made: Call) -> None:
        if made.model is not None and id(made.model) not in self._models:
            self._models[id(made.model)] = bound.ref(made.model, self._died)
        self.waiting.called(made)
        if not self.inside:
            self.backlog.weigh(made.parameters)
        self._each(lambda one: one.called(made), self._turns())

    def _died(self, reference: Any) -> None:
        """The program has let go of a model: so do we, of what we hold of its last step."""
        self._models = {key: one for key, one in self._models.items() if one is not reference}
        if not self.busy and self.home.here():
            self.view = StepView()
            self._each(lambda one: one.forget())

    def updating(self, model: Any, optimizer: Any, gradients: Any) -> None:
        """Tell of an update."""
        if self.due and not self.busy and self.home.here():
            self.at_our_cost(self._each, lambda one: one.updating(model, optimizer, gradients), self._turns())
            self.at_our_cost(self._each, lambda one: one.training(model, optimizer), self._turns())

    def called_in_trace(self, call: Call) -> None:
        """Tell of a gradient call in a trace."""
        self.at_our_cost(self._each, lambda one: one.called_in_trace(call))

    def traced(self, model: Any, gradients: Any) -> None:
        """Tell of an update in a trace."""
        self._each(lambda one: one.traced(model, gradients))

    def training(self, model: Any, optimizer: Any) -> None:
        """Tell of a compiled step."""
        self.looks.began_s = self.looks.began_s or bound.monotonic()
        if self.due and not self.busy and self.home.here():
            self.at_our_cost(self._each, lambda one: one.training(model, optimizer), self._turns())

    def began(self, model: Any, optimizer: Any) -> None:
        """Tell of an optimizer's first update."""
        self.recorder.newcomers.meet(self.recorder.updates)
        self.recorder.wake()
        self.at_our_cost(self._each, lambda one: one.began(model, optimizer))

    def given(self, args: Any) -> None:
        """Tell of what a compiled step is given."""
        if self.due and not self.busy and self.home.here():
            self.at_our_cost(self._each, lambda one: one.given(args), self._turns())

    def look(self, step: int, now_s: float) -> tuple[int | None, float | None] | None:
        """Report a complete step; return what is recorded of it if it was sampled. Decide on the next."""
        self.wanted |= self.recorder.newcomers.begin() or self.recorder.reductions.is_after(step + 1) or self.answered()
        recorded = None
        if is_landmark(step):  # whatever the other inspectors cost, growth is to be proved
            self.looks.refresh(now_s)
        if self.due and not self.busy and self.home.here():
            self.at_our_cost(self._look, step)
            recorded, self.view = self.view.recorded(), StepView()
            self.looks.complete(bound.monotonic())
        elif is_landmark(step) and not self.busy and self.home.here():
            recorded = self.at_our_cost(self.backlog.update), None
        revises = self.doubted and is_landmark(step + 1)
        self.due, self.wanted = self.wanted or revises or self.looks.is_due(step + 1, now_s), False
        rests = not (self.due or self.recorder.newcomers.left or self.recorder.reductions.awaits(step + 1))
        self.recorder.idle = (step + 1, next_landmark(step + 1) - 1, self.looks.paid_s) if rests else NEVER
        return recorded

    def _look(self, step: int) -> None:
        self.view.pending = self.backlog.update()
        turns = self._turns()
        self._each(lambda one: one.look(step) if one in turns else one.forget())

    def shadow(self, run: Callable[[], None]) -> None:
        """Look into a function that is run for us: what it evaluates and reads does not count."""
        deaf, self.view, now_s = self.recorder.deaf, StepView(), bound.monotonic()
        self._each(lambda one: one.forget())
        self.inside = self.recorder.deaf = True
        try:
            run()
        finally:
            try:
                self._each(lambda one: one.forget())
            finally:
                self.inside, self.recorder.deaf = False, deaf
                self.recorder.paid(bound.monotonic() - now_s)

    def look_inside(self) -> None:
        """Look at what such a run has shown, while it lasts; the step under way is told of it."""
        self.at_our_cost(self._each, lambda one: one.look(self.recorder.step + 1))
        self.recorder.wake()

    def finish(self) -> None:
        """Tell of the end."""
        self.at_our_cost(self._each, lambda one: one.finish())

    def pending(self, arrays: list[Any], *, copies: bool = True) -> int:
        """Count pending operations; where it is known without that, or they are too many to draw: 1."""
        if not self.inside and self.waiting.holds(arrays):
            return 1
        return 1 if (found := self.count(self._speaks, arrays, copies=copies)) is None else found

    def count(self, what: str, arrays: list[Any], *, always: bool = False, copies: bool = True) -> int | None:
        """Count the pending operations behind arrays that are known by a name; None where that would cost too much.

        Where nothing has been evaluated for steps every graph holds all of them, and one that is drawn `always` tells.
        """
        step, lazy_steps = self.recorder.step, 0 if always else self.recorder.lazy_steps
        if not arrays or self.inside:
            return 0
        if lazy_steps > LAZY_AT_MOST or not self.looks.affords(what, step, lazy_steps):
            return None
        text = lazy_graph.drawn(arrays)
        self.looks.drawn(what, step, found := lazy_graph.operations(text, copies=copies))
        if what != UPDATE:
            return found
        self.sources = lazy_graph.sources(text)
        return found - lazy_graph.untouched(text)

    def at_our_cost(self, call: Callable[..., T], *args: Any) -> T | None:
        """Keep what a call evaluates and reads from counting as the program's, and what it fails at from that: None.

        No context manager, which a signal handler of the program's may keep from its end by an exception.
        """
        before, now_s = (self.busy, self.recorder.deaf), bound.monotonic()
        began, imported_s, kernels = lazy_graph.spent_s(), isolated_import.importing_s(), self.looks.kernels.watch()
        try:
            self.busy = self.recorder.deaf = True
            return call(*args)
        except Exception as error:
            self.recorder.failed(error)
            return None
        finally:
            self.busy, self.recorder.deaf = before
            if not self.inside:
                if not before[0]:
                    self.recorder.paid(bound.monotonic() - now_s)
                took_s, once_s = lazy_graph.spent_s() - began, isolated_import.importing_s() - imported_s
                once_s += kernels(took_s - once_s)
                self.looks.spend(took_s - once_s, once_s)

    def _turns(self) -> list[Inspector]:
        """List those whose turn it is."""
        looks = self.looks.complete_ones
        return [one for one in self._inspectors if one.passes <= looks or self.inside or self.tracing]

    def _each(self, tell: Callable[[Inspector], None], turns: Iterable[Inspector] = ()) -> None:
        for one in [one for one in turns or self._inspectors if one.shadows or not self.inside]:
            self._speaks = type(one).__name__
            try:
                tell(one)
            except Exception as error:  # MLX differs from release to release, and programs do what they like
                if self._observer_failed(one, error):
                    self.intercepts.drop(one)
