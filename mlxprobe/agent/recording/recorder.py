"""What the hooks tell, put together into steps, losses and facts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mlxprobe.agent.introspection import call_site
from mlxprobe.agent.patching import static
from mlxprobe.agent.recording.fact_sender import Facts, deaf
from mlxprobe.agent.recording.loss_history import LossPath
from mlxprobe.agent.recording.parameter_moves import Moves
from mlxprobe.agent.recording.phase_timer import WORTH_S, Phases
from mlxprobe.agent.recording.steps import StepLog, Window, number
from mlxprobe.agent.recording.trained_models import Trained
from mlxprobe.agent.wire import bound
from mlxprobe.agent.wire.bound import monotonic
from mlxprobe.agent.wire.channel import Channel
from mlxprobe.agent.wire.ranks import Reductions
from mlxprobe.protocol.facts.gradients import FirstGradient
from mlxprobe.protocol.facts.losses import LossesSampled
from mlxprobe.protocol.facts.updates import FirstUpdate, GradientsDropped, Resumed, UpdatesPutOff
from mlxprobe.protocol.facts.work import LongEvaluation, LongEvaluationByHand

COMMON = 0
FRESH, MOST = 4, 4  # steps that somebody new is looked at; of how many
TICK_S = 0.02
COUNT_S, COUNT_SHARE = 0.1, 0.05  # between two counts of memory: of a short run so far, a share
LONG_EVALUATION_S = 0.1
MANY_STEPS, READ_S, BEGAN_S = 5, 2e-5, monotonic()  # no graph of this many steps is evaluated in less
NEVER = 0, 0, 0.0
LAZY_AT_MOST, CALLS_AT_MOST = 1, 3  # steps and calls without an evaluation: a loss is not evaluated either


class Recorder(Facts):
    """Follow the program through gradient calls, updates and evaluations.

    A step ends when the program comes back for its next gradients (or ends): only then has its loop had the
    chance to evaluate what the update left pending.
    """

    def __init__(self, channel: Channel) -> None:
        super().__init__(channel)
        self.updates = self.gradients = self.lazy_steps = 0
        self._lazy_calls = 0  # gradient calls, of a program that uses no optimizer of MLX's
        self.relieved: Callable[[], None] = lambda: None  # told of an evaluation after many
        self.evaluations = self._evaluations_before = 0  # of the program; at the last gradient call
        self.evaluation_s = 0.0
        self.moves = Moves()
        self.closing: list[Callable[[], None]] = [lambda: self.moves.finish(self.updates)]  # before facts are refused
        self._open_since = self.began_s = 0.0  # the step, and the last gradient call
        self._ours_s = 0.0  # of the step under way: what the agent needed
        self._window = Window()
        self._updated = self.applied = False
        self.phases = Phases()
        self.traces: dict[str, list[Any]] = {}  # of compiled functions, by name
        self.trained = Trained()
        self.trained.late = lambda count: self.revise(UpdatesPutOff(updates=count), call_site.calling())
        self.log = StepLog(channel)
        self.losses = LossPath(self.log.read)
        self.losses.sampled = lambda alone: self.revise(LossesSampled(alone=alone), self.gradient_site)
        self._streams = Streams()
        self.newcomers = Newcomers()
        self.reductions = Reductions(self.wake)
        self.gradient_site = self.update_site = ("", 0)
        self.loop_site = ("", 0)  # of an update of several gradient calls, in the function that makes them
        self.loaded = False  # whether weights were, from a file
        self.trained_before: dict[int, Callable[[], Any]] = {}  # models, by identity
        self.loaded_into: set[int] = set()  # modules that were
        self.changed = False  # whether any parameter ever did
        self.deaf = False  # to what we evaluate and read ourselves
        self.forked: tuple[call_site.Site, int] | None = None  # where, after evaluations; until the fork evaluates
        self.host: set[Any] | None = None  # the types of what is read within a gradient call, where somebody asks
        self.look: Callable[[int, float], tuple[int | None, float | None] | None] = lambda *_: None
        self.looked: Callable[[], None] = lambda: None
        self.idle = NEVER  # from a step to before another, and up to when, nobody looks at any
        self.active: Callable[[], int] = lambda: 0
        self.inspected: Callable[[], None] = lambda: None
        self.count: Callable[[], None] = lambda: None
        self._count_at_s, self._trains_since_s = 0.0, BEGAN_S
        self.at_end: Callable[[], None] = lambda: None
        self.enough_steps = 0  # whoever watches wants no more; 0 for the program's own end
        self.enough: Callable[[], None] = lambda: None

    @property
    def step(self) -> int:
        """The step under way: updates where the program makes them, gradient calls where it does not."""
        return self.updates if self.applied else self.gradients

    @property
    def under_way(self) -> int:
        """The step under way as it will be numbered: from its first forward pass until the next one's."""
        return self.updates + (not self._updated) if self.applied or not self.gradients else self.gradients

    @property
    def calls_each(self) -> tuple[int, int]:
        """The fewest and most gradient calls of a step with an update, without the first one."""
        window = self._window
        return window.least or window.of, window.most or window.of

    @property
    def is_within_step(self) -> bool:
        """Whether gradients have been computed and not been applied yet."""
        return self._window.calls > 0

    @property
    def _is_complete(self) -> bool:
        """Whether the step that is open has had its update, or its gradients where no optimizer of MLX's updates."""
        return self._updated or (self._window.calls > 0 and not self.applied)

    def gradient_begins(self) -> None:
        """A gradient call starts; whatever step was open is complete now."""
        self.began_s = now_s = monotonic()
        self.phases.begins(now_s)
        losses = self.losses
        if (losses.was_read or now_s < losses.may_look_s) and not losses.scheduled:
            losses.hand_on(known=not self.lazy_steps)
        else:
            self._settle_losses(now_s)
        if self._is_complete:
            self.close_step(now_s)
        elif not self._open_since:
            self._open_since, self._trains_since_s, self._ours_s = now_s, now_s, 0.0

    def gradient_ends(self, loss: Any, owner: Any = None, stream: int = -1, *, model: bool = False) -> int:
        """A gradient call returned a loss (see `loss_in`), of a model or a function.

        Return the number of that one's losses, which it may be known by from then on.
        """
        self.gradients = call = self.gradients + 1
        if not self.applied:
            self._lazy_calls += 1
        if call == 1:
            self.gradient_site = call_site.calling()
            self.fact(FirstGradient(), self.gradient_site)
        if stream < 0:
            stream = self._meet(owner, model=model)
        elif not model:
            self._streams.last = stream
        window = self._window
        window.calls, window.stream = window.calls + 1, stream
        self.losses.take(loss, call, stream)
        self._evaluations_before = self.evaluations
        if monotonic() - self.channel.sent_s > TICK_S:
            self.tick()
        return stream

    def _meet(self, owner: Any, *, model: bool) -> int:
        stream, is_new = self._streams.meet(owner, model=model)
        if is_new:
            before = self.trained_before.get(id(owner))
            self.newcomers.meet(stream)
            self.wake()
            if self.loaded or (before is not None and before() is owner is not None):
                self.fact(Resumed(stream=stream), self.gradient_site)
        return stream

    @property
    def model_names(self) -> dict[str, str]:
        """The classes of the first models, by the number of their losses."""
        return self._streams.names

    def stream(self, model: Any) -> int:
        """Return the number of a model's losses; for None of the last that were none's."""
        return self._streams.of(model)

    def wake(self) -> None:
        """A step to come may be looked at after all."""
        self.idle = NEVER

    def _settle_losses(self, now_s: float, *, ended: bool = False) -> None:
        deaf, self.deaf = self.deaf, True
        try:
            lazy = self.lazy_steps > LAZY_AT_MOST or self._lazy_calls > CALLS_AT_MOST
            self.losses.settle(now_s, lazy=lazy, waited=self.evaluations > self._evaluations_before, ended=ended)
            self.losses.is_evaluated &= not self.lazy_steps
        finally:
            self.deaf = deaf

    def updated(self, model: Any, optimizer: Any) -> None:
        """An optimizer computed new parameters."""
        if not self.updates:
            self.update_site = site = call_site.calling()
            self.fact(FirstUpdate(), site)
            self.wake()
        self.updates += 1
        self.lazy_steps += 1
        self._updated = self.applied = True
        self.phases.open = True
        self.trained.updated(model, optimizer)

    def evaluated(self, began_s: float, *, whole: bool = False) -> None:
        """An evaluation that began at `began_s` has returned; of what was trained, where it is `whole`."""
        if self.deaf:
            return
        now_s = monotonic()
        took_s = now_s - began_s
        runs = whole or took_s > READ_S or self.lazy_steps < MANY_STEPS
        if took_s > LONG_EVALUATION_S or (runs and self.lazy_steps >= MANY_STEPS):
            self.fact(LongEvaluation(seconds=took_s, lazy_steps=self.trained.most_put_off(), whole=whole))
        if self._lazy_calls:
            if self._lazy_calls >= MANY_STEPS and not self.applied:
                self.fact(LongEvaluationByHand(seconds=took_s, lazy_steps=self._lazy_calls))
                self.relieved()
            self._lazy_calls = 0
        self.evaluations, self.evaluation_s = self.evaluations + 1, self.evaluation_s + took_s
        if runs:  # it has not only read a value that was there
            self.lazy_steps = 0
            self.trained.put_off.clear()
        if self.phases.open or took_s > WORTH_S:
            self.phases.evaluated(began_s, now_s)
        if now_s > self._count_at_s:
            self._count(now_s)
        if now_s - self.channel.sent_s > TICK_S:
            self.tick()

    def read(self, array: Any, value: Any) -> None:
        """The program read `value` from `array`; when that is a loss, note it."""
        if not self.deaf:
            if self.host is not None:
                self.host.add(array.dtype)
            self.deaf = True
            try:
                self.losses.read(array, value)
                if self.heard is not deaf:
                    self.heard(array, value)
            finally:
                self.deaf = False

    def tick(self) -> None:
        """Tell the supervisor that the program moves, where it has not heard of it for `TICK_S`."""
        if monotonic() - self.channel.sent_s > TICK_S and not self.log.flush():
            self.channel.send("tick", n=self.step)

    def _count(self, now_s: float) -> None:
        self._count_at_s = now_s + min(COUNT_S, COUNT_SHARE * (now_s - self._trains_since_s))
        self.count()
        self.phases.add_up()

    def paid(self, seconds: float) -> None:
        """Keep time that the agent needed from counting as the program's."""
        self._ours_s += seconds
        self.phases.paid(seconds)

    def close_step(self, now_s: float) -> None:
        """Note the step that is complete, and begin the next."""
        if now_s > self._count_at_s:
            self._count(now_s)
        step, (first, until, paid_s) = self.updates if self.applied else self.gradients, self.idle
        step_s, active = now_s - self._open_since - self._ours_s, self.active()
        seen = None if first <= step < until and now_s < paid_s else self.look(step, now_s)
        if seen is None:
            self._note(step, step_s, active, now_s)
        else:
            self.looked()
            self._note(step, step_s, active, now_s, seen[0], number(seen[1]))
            self._open_since, self._ours_s = monotonic(), 0.0
        if self.enough_steps and self.enough_steps <= self.step and not self._over:
            self.enough()  # does not come back, as long as there is a supervisor
            self._open_since = monotonic()

    def _note(self, step: int, step_s: float, active: int, now_s: float, *seen: Any) -> None:
        """Add a step to the log; the next is open before that is sent, which a signal handler may interrupt."""
        window, calls, self._open_since, self._ours_s = self._window, self._window.calls, now_s, 0.0
        if self._updated:
            window.applies, self._updated = window.stream, False
            if calls != window.of:
                window.takes(self.updates)
        window.calls = 0
        self.log.add(step, step_s, calls, active, now_s, *seen)

    def close_complete(self) -> None:
        """Note the step that is complete, and look at nothing: the program leaves without an end of Python's."""
        if self._is_complete:
            now_s = self.phases.stepped_s(monotonic())
            step = self.updates if self.applied else self.gradients
            self._note(step, max(0.0, now_s - self._open_since - self._ours_s), self.active(), now_s)

    def finish(self) -> None:
        """The program's body has ended: close what is open, send what is left, and note no more facts."""
        left, of = self._window.left()
        if self.applied and 0 < left < of and not self._updated:  # more are not left over
            site = self.loop_site if self.loop_site[1] else self.gradient_site
            self.fact(GradientsDropped(calls=left, of=of, at_end=True), site)
        ours_s = self._ours_s
        for close in self.closing:
            close()
        self.inspected()
        self._settle_losses(monotonic(), ended=True)
        self._over, self._ours_s = True, ours_s  # what the end needed is no part of the last step
        if self._window.calls or self._updated:
            self.close_step(self.phases.stepped_s(monotonic()))
        self.log.flush(patient=True)
        self.at_end()


class Streams:
    """Number the owners of losses; who has gone leaves its number, also where another takes its place in memory."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[Any, int]] = {}
        self._next = COMMON
        self.last = COMMON  # of those that are no model's
        self.names: dict[str, str] = {}  # classes of the first models, by number

    def meet(self, owner: Any, *, model: bool) -> tuple[int, bool]:
        """Return an owner's number, and whether it is new; None is the owner of all that nobody else owns."""
        known = self._known.get(id(owner))
        found = None if known is None or (owner is not None and known[0]() is not owner) else known[1]
        number = self._next if found is None else found
        if found is None:
            self._next += 1
            self._known[id(owner)] = (lambda: None) if owner is None else bound.ref(owner), number
            if model and len(self.names) < MOST:
                self.names[str(number)] = static.title(owner)
        self.last = self.last if model else number
        return number, found is None

    def of(self, model: Any) -> int:
        """Return the number of a model; for None of the last that was none's."""
        known = self._known.get(id(model))
        return self.last if model is None else COMMON if known is None or known[0]() is not model else known[1]


class Newcomers:
    """Models, functions and optimizers that begin after others have: their first steps are looked at, as a run's."""

    def __init__(self) -> None:
        self._met = self.left = 0

    def meet(self, before: int) -> None:
        """Somebody begins, with so much `before`."""
        if before and self._met < MOST:
            self._met, self.left = self._met + 1, FRESH

    def begin(self) -> bool:
        """Tell whether the step that begins is among the first of somebody."""
        self.left, left = max(0, self.left - 1), self.left
        return left > 0
