"""Learning rates as the optimizers have them, and schedules as the program builds them."""

from __future__ import annotations

import re
import weakref
from collections.abc import Callable
from typing import Any

from mlxprobe.agent.graph import lazy_graph
from mlxprobe.agent.intercept.events import CallEvent
from mlxprobe.agent.intercept.intercepts import Observe
from mlxprobe.agent.introspection import call_site, isolated_import
from mlxprobe.agent.patching import static
from mlxprobe.agent.patching.signatures import like
from mlxprobe.agent.recording.steps import number
from mlxprobe.agent.sampling.dispatcher import Inspection
from mlxprobe.agent.sampling.inspector import Inspector
from mlxprobe.agent.sampling.overhead_budget import is_landmark
from mlxprobe.agent.wire import bound
from mlxprobe.protocol.facts.updates import BetasReversed, RateAstray, ScheduleUnused

MOST_SETTINGS, FEW, LONG = 16, 8, 80  # settings, numbers of one, characters
KINDS = {  # schedules, with their parameters
    "linear_schedule": ("init", "end", "steps"),
    "cosine_decay": ("init", "decay_steps", "end"),
    "exponential_decay": ("init", "decay_rate"),
    "step_decay": ("init", "decay_rate", "step_size"),
}
POINTS = 32  # rates kept of an optimizer
MOST = 3  # optimizers told of
STRAY = re.compile(r"(.*_)?lr|rate|learning_?rates", re.IGNORECASE)  # what another framework calls the rate
LONG_MEMORY = 0.98  # of the mean of gradients, longer than that of their squares
TURNS = 3  # values of such an attribute


class Followed:
    """One optimizer, and what its rate was after which of its updates."""

    def __init__(self, optimizer: Any, schedule: Schedule | None, *, scheduled: bool) -> None:
        decay = static.setting(optimizer, "weight_decay", 0.0)
        self.optimizer: Callable[[], Any] = bound.ref(optimizer)
        self.name = type(optimizer).__name__ + (" without bias correction" if is_uncorrected(optimizer) else "")
        self.decay = float(decay) if isinstance(decay, (int, float)) else 0.0
        self.settings = settings(optimizer)
        self.site = call_site.calling()
        self.made = ("", 0)
        self.schedule = schedule
        self.scheduled = scheduled
        self.points: list[tuple[int, float]] = []
        self.strays: dict[str, list[float]] = {}  # attributes that MLX does not know, with the values seen

    @property
    def place(self) -> tuple[str, int]:
        """Where its rate is decided: where its schedule was built, or where it updates."""
        return self.schedule.site if self.schedule is not None and self.schedule.site[1] else self.site

    def read_strays(self) -> None:
        """Read what was set on an optimizer of MLX's own class, of which MLX knows nothing."""
        optimizer = self.optimizer()
        for name, value in vars(optimizer).items() if call_site.is_mlx(type(optimizer).__module__) else ():
            if STRAY.fullmatch(name) and static.is_a(value, (int, float)):
                values = self.strays.setdefault(name, [])
                values += [float(value)] if value not in values and len(values) < POINTS else []

    def add(self, update: int, rate: float) -> None:
        """Keep a rate; of many every second one, but the first and the last."""
        if self.points and self.points[-1][0] == update:
            self.points[-1] = (update, rate)
        else:
            self.points.append((update, rate))
        if len(self.points) > POINTS:
            self.points[1:-1] = self.points[1:-1:2]


class Rates(Inspector):
    """Read each optimizer's rate where a step is looked at, and once at the end."""

    emits = (".optimizers", ".updates", BetasReversed, RateAstray, ScheduleUnused)
    observes = (
        *(Observe(f"mlx.optimizers.schedulers.{kind}", "_made_schedule", after=True) for kind in KINDS),
        Observe("mlx.optimizers.schedulers.join_schedules", "_joined", after=True),
        Observe("mlx.optimizers.optimizers.Adam.__init__", "_made_adam", after=True),
        Observe("mlx.optimizers.optimizers.Optimizer.__init__", "_made_optimizer", after=True),
    )
    builds_on = ("ByHand",)

    def __init__(self, inspection: Inspection) -> None:
        super().__init__(inspection)
        self._followed: dict[int, Followed] = {}
        self._sites: weakref.WeakKeyDictionary[Any, tuple[str, int]] = weakref.WeakKeyDictionary()
        self._met = 0  # optimizers that have updated
        self._current: set[int] = set()  # those of the last update that was followed
        self._kinds: set[str] = set()  # of these, with their settings and rates
        self._schedules: dict[int, tuple[Any, Schedule]] = {}  # by what was returned, which is kept: it is small

    def _made_optimizer(self, event: CallEvent) -> None:
        self._sites[event["self"]] = call_site.calling()

    def _made_adam(self, event: CallEvent) -> None:
        optimizer = event["self"]
        betas = static.children(optimizer.betas)
        if len(betas) != 2 or not all(static.is_a(one, (int, float)) for one in betas):
            return
        first, second = betas
        if second < first >= LONG_MEMORY:
            told = BetasReversed(first=first, second=second, optimizer=type(optimizer).__name__)
            self.inspection.recorder.fact(told, call_site.making(type(optimizer)))

    def _made_schedule(self, event: CallEvent) -> None:
        kind = event.function
        named = {name: event[name] for name in KINDS[kind] if name in event}
        shown = [one for name, one in named.items() if (kind, name, one) != ("cosine_decay", "end", 0.0)]  # its default
        numbers = [f"{one:.4g}" for one in shown if static.is_a(one, (int, float))]
        made = Schedule(f"{kind}({', '.join(numbers)})")
        if kind in ("linear_schedule", "cosine_decay"):
            start, end = named.get("init", 0.0), named.get("end", 0.0)
            made.ends = (float(start), float(end))
            made.span = int(named.get("steps", named.get("decay_steps", 0)))
            made.warmup = made.span if end > start else 0
        elif "init" in named:
            made.ends = (float(named["init"]),)
        event.result = self._counted(event.result, made)

    def _joined(self, event: CallEvent) -> None:
        schedules, boundaries = event["schedules"], event["boundaries"]
        parts = [self._schedules[id(one)][1] for one in schedules if id(one) in self._schedules]
        made = Schedule(" then ".join(one.text for one in parts))
        made.ends = tuple(end for one in parts for end in one.ends)
        for one in parts:
            one.given = True
        if len(parts) == len(schedules) and len(boundaries):
            made.span = int(boundaries[-1]) + parts[-1].span if parts[-1].span else 0
            made.warmup = int(boundaries[0]) if parts[0].warmup else 0
        event.result = self._counted(event.result, made)

    def _counted(self, schedule: Callable[..., Any], made: Schedule) -> Callable[..., Any]:
        made.site = call_site.calling()

        @like(schedule)
        def counted(*args: Any, **kwargs: Any) -> Any:
            made.calls += 1
            return schedule(*args, **kwargs)

        self._schedules[id(counted)] = (counted, made)
        self.inspection.schedules[id(counted)] = made.text, made.span
        return counted

    def began(self, model: Any, optimizer: Any) -> None:
        parts = static.setting(optimizer, "optimizers", [optimizer])
        self._current = set(map(id, parts))
        for one in parts:
            self._met += 1
            text, scheduler = self._scheduled(one)
            rate = text or (scheduler and id(scheduler)) or lazy_graph.known(static.state(one).get("learning_rate"))
            kind = f"{type(one).__name__} {rate} {settings(one)} {static.setting(one, 'weight_decay', 0.0)}"
            self._kinds |= {kind} if len(self._kinds) < MOST else set()

    def _scheduled(self, optimizer: Any) -> tuple[str, Any]:
        """Return the words of an optimizer's schedule, and the schedule; empty and None where there is none."""
        scheduler = static.setting(optimizer, "_schedulers", {}).get("learning_rate")
        return self.inspection.schedules.get(id(scheduler), ("", 0))[0], scheduler

    def training(self, model: Any, optimizer: Any) -> None:
        parts = static.setting(optimizer, "optimizers", [optimizer])
        self._current = set(map(id, parts))
        for one in parts:
            followed = self._followed.get(id(one))
            if followed is None or followed.optimizer() is not one:
                self._follow(one)

    def _follow(self, optimizer: Any) -> None:
        if len(self._followed) >= MOST:
            return
        scheduler = static.setting(optimizer, "_schedulers", {}).get("learning_rate")
        schedule = self._schedules.get(id(scheduler), (None, None))[1]
        if schedule is not None:
            schedule.given = True
        followed = Followed(optimizer, schedule, scheduled=scheduler is not None)
        followed.made = self._sites.get(optimizer, ("", 0))
        self._followed[id(optimizer)] = followed

    def look(self, step: int) -> None:
        self._read()
        if is_landmark(step) or not all(self._is_finite(one) for one in self._followed.values()):
            self._send()

    def _is_finite(self, one: Followed) -> bool:
        return not one.points or abs(one.points[-1][1]) < float("inf")

    def _read(self) -> None:
        import mlx.core as mx

        for key, one in self._followed.items():
            one.read_strays()
            rate, step = self._last(key, one)
            if not static.is_a(rate, mx.array) or rate.size != 1 or self.inspection.pending([rate]):
                continue
            value, updates = (
                lazy_graph.known(rate),
                lazy_graph.known(step) if static.is_a(step, mx.array) else None,
            )
            if value is not None and (updates is not None or key in self._current):  # else whose updates are counted?
                update = self.inspection.recorder.updates if updates is None else int(updates)
                one.add(update, float(f"{value:.6g}"))

    def _last(self, key: int, one: Followed) -> tuple[Any, Any]:
        """Return an optimizer's rate and count of updates; those that were kept, once it has gone with its function."""
        state = static.state(one.optimizer())
        if state:
            return state.get("learning_rate"), state.get("step")
        kept, rate, step = self.inspection.recorder.trained.rates.get(key, (None, None, None))
        return (rate, step) if kept is one.optimizer else (None, None)

    def finish(self) -> None:
        self._read()
        self._send()
        followed = list(self._followed.values())
        for one in followed:
            self._tell_strays(one)
        constant = {one.points[0][1] for one in followed if one.points and len({rate for _, rate in one.points}) == 1}
        if not followed or any(one.scheduled or len({rate for _, rate in one.points}) != 1 for one in followed):
            return
        for _, made in self._schedules.values():
            if not made.given and len(set(made.ends)) != 1:
                same = any(abs(end - rate) <= 1e-5 * abs(rate) for end in made.ends for rate in constant)
                self.inspection.recorder.fact(
                    ScheduleUnused(
                        schedule=made.text,
                        calls=made.calls,
                        rates=tuple(f"{rate:.4g}" for rate in sorted(constant)),
                        same=same,
                    ),
                    made.site,
                )

    def _tell_strays(self, one: Followed) -> None:
        """Tell of a rate that is set anew and anew under a name that nobody at MLX reads, beside one that stays."""
        rates = {rate for _, rate in one.points}
        for name, values in one.strays.items() if len(rates) == 1 and not one.scheduled else ():
            if len(values) >= TURNS:
                with isolated_import.importable():
                    from mlxprobe.agent.introspection.blame import assignment
                site, seen = call_site.blamed(assignment(None, name, one.site[0]), one.site)
                rate, first, last = (f"{value:.4g}" for value in (rates.pop(), values[0], values[-1]))
                told = RateAstray(attribute=name, rate=rate, first=first, last=last, optimizer=one.name, seen=seen)
                self.inspection.recorder.fact(told, site)
                return

    def _send(self) -> None:
        recorder = self.inspection.recorder
        optimizers = [
            {
                "name": one.name,
                "rates": [(update, number(rate)) for update, rate in one.points],
                "schedule": one.schedule.text if one.schedule else "a function" if one.scheduled else "",
                "span": one.schedule.span if one.schedule else 0,
                "warmup": one.schedule.warmup if one.schedule else 0,
                "weight_decay": one.decay,
                "settings": one.settings,
                "file": one.place[0],
                "line": one.place[1],
                "made_in": one.made[0],
                "made_at": one.made[1],
            }
            for one in self._followed.values()
        ]
        moves = recorder.moves
        values = {"optimizers": optimizers, "updates": recorder.updates + moves.by_hand, "by_hand": moves.by_hand}
        values |= {"optimizers_seen": self._met, "optimizers_alike": len(self._kinds) == 1}
        values |= {"calls_each": recorder.calls_each if not moves.by_hand else (0, 0)}
        values |= {"uncounted": moves.uncounted, "unfollowed": moves.unfollowed, "gradients": recorder.gradients}
        recorder.channel.send("sheet", values=values)


class Schedule:
    """One schedule that the program built: its words, how many of its own steps it takes, and who has it."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.span = self.warmup = 0
        self.ends: tuple[float, ...] = ()  # the rates that it starts or ends at
        self.site = ("", 0)
        self.calls = 0
        self.given = False


def settings(optimizer: Any) -> dict[str, str]:
    """Return the plain numbers that an optimizer holds, in words; the private ones and the decay are left out."""
    plain = {name: one for name, one in vars(optimizer).items() if name[0] != "_" and name != "weight_decay"}
    return {name: str(one)[:LONG] for name, one in list(plain.items())[:MOST_SETTINGS] if _is_number(one)}


def is_uncorrected(optimizer: Any) -> bool:
    """Tell whether moments that start at zero are used as they are: the first updates are several times too large."""
    return static.setting(optimizer, "bias_correction", None) is False


def _is_number(one: Any) -> bool:
    some = one if static.is_a(one, (list, tuple)) else [one]
    return len(some) < FEW and all(static.is_a(each, (bool, int, float)) for each in some)
