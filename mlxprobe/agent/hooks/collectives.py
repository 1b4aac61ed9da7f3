"""Record the collectives and messages that the program builds: which, where, in which order, when they may have run.

Nothing is sent between ranks, and nothing evaluated: ranks are compared outside. Whether an array is evaluated cannot
be asked without drawing its graph; so what is told are the evaluations that came after a collective was built.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from types import FrameType
from typing import Any

from mlxprobe.agent.graph import lazy_graph
from mlxprobe.agent.hooks.collective_encoding import AT_ONCE, KEPT, Kinds, Row, Untold, Words, ago
from mlxprobe.agent.hooks.flight_recorder import BlackBox
from mlxprobe.agent.intercept.events import CallEvent
from mlxprobe.agent.intercept.intercepts import Intercepts, Observe
from mlxprobe.agent.introspection import call_site
from mlxprobe.agent.patching import static
from mlxprobe.agent.patching.interrupts import Stop
from mlxprobe.agent.recording.call_context import Nesting
from mlxprobe.agent.recording.recorder import Recorder
from mlxprobe.agent.sampling.overhead_budget import is_landmark
from mlxprobe.agent.wire import bound
from mlxprobe.system import self_process

MOST_GRADIENTS = 1000
DRAWINGS = 4  # at each line
DRAWN = ("AllReduce", "AllGather", "ReduceScatter", 'Send"', 'Recv"')  # as MLX names them
MANY = 1_000_000
MOST_LAZY = 1  # steps: a drawing recurses as deep as the graph is
COLLECTIVES = ("all_sum", "all_gather", "all_max", "all_min", "sum_scatter")
MESSAGES = {"send": ("x", "dst"), "recv": ("shape", "dtype", "src"), "recv_like": ("x", "src")}
AT_ONCE_S = 1e-5  # an evaluation that takes less has computed nothing: no collective is as fast
LONG_S = 0.1  # what has been computed is there sooner
MOST_GROUPS = 64
WORLD = "world"


class Collectives:
    """The recorder of one process: it keeps rows that are `open`, and those that the supervisor has not heard of."""

    def __init__(self, recorder: Recorder, nesting: Nesting) -> None:
        self._recorder = recorder
        self._nesting = nesting
        self.open: deque[Row] = deque(maxlen=KEPT)  # built, and no evaluation after that has returned
        self.active = False  # whether any has been built: an evaluation may ask for one whose result lay for long
        self.began_s = 0.0  # the evaluation under way
        self._told_began_s = 0.0
        self._untold = Untold()
        self._kinds = Kinds()
        self._results: dict[int, Row] = {}  # by identity: of rows that may not have run
        self._beside = Apart()
        self._leaves = Leaves()
        self._again: list[Row] = []  # given to the evaluation under way, and said to be done
        self._sure = self._apart = False  # it was given a collective itself; a single array, it holds none
        self._none = False  # it holds none, as far as is known
        self._held = MANY  # how many it holds, at the most
        self._passed: list[Row] = []  # built before evaluations that held no collective, or others
        self._groups: dict[int, tuple[Any, str]] = {}
        self._splits: dict[str, int] = {}
        self._words = Words(recorder.channel)
        self._box = BlackBox(self._words)
        self.box_file = ""
        self.joined: Callable[[], None] = lambda: None  # told that there are others
        self._size = 0
        self._ask: Callable[[], Any] = lambda: None
        self._threads: Iterable[str] = ()  # before a group is made

    def observe(self, intercepts: Intercepts) -> None:
        """Listen to what `mx.distributed` offers."""
        base = "mlx.core.distributed."
        intercepts.add(
            self, [Observe(f"{base}init", "_begins_group"), Observe(f"{base}init", "_has_group", after=True)]
        )
        intercepts.add(self, (Observe(f"{base}{name}", "_builds", after=True) for name in (*COLLECTIVES, *MESSAGES)))
        intercepts.add(self, [Observe(f"{base}Group.split", "_split", after=True)])

    def imported(self, mx: Any) -> None:
        """Take what is asked of `mlx.core`, before it is wrapped."""
        if hasattr(mx, "distributed"):
            self._ask, self._beside.array = mx.distributed.init, mx.array

    def _begins_group(self, event: CallEvent) -> None:
        self._threads = () if self._size else self_process.threads()

    def _has_group(self, event: CallEvent) -> None:
        if not self._size:
            self._joined(event.result)
            self._carried(self._threads)

    def _joined(self, group: Any) -> bool:
        """Learn of the group of all; tell whether there are others in it."""
        self._size = int(group.size())
        if self._size > 1:
            self._recorder.channel.send("rank", rank=int(group.rank()), size=self._size)
            self._recorder.reduced = self._leaves.take
            self.joined()
            if self.box_file:
                self._box.open(self.box_file)
        return self._size > 1

    def _carried(self, before: Iterable[str]) -> None:
        """Tell which threads the group has brought: they carry messages, and spin while they wait for one."""
        if self._size > 1:
            self._recorder.channel.send("carriers", ids=sorted(map(int, {*self_process.threads()} - {*before})))

    def _split(self, event: CallEvent) -> None:
        name = self._name(event["self"])
        self._splits[name] = number = self._splits.get(name, -1) + 1
        if len(self._groups) < MOST_GROUPS:  # held, for its identity is its name's
            self._groups[id(event.result)] = event.result, f"{name}/{number}.{event['color']}"

    def _name(self, group: Any) -> str:
        known = self._groups.get(id(group))
        return known[1] if known else WORLD

    def _builds(self, event: CallEvent) -> None:
        if self._nesting.replays and self._size > 1:
            self._nesting.talks = True
            raise Stop
        if self._size == 1 or self._recorder.deaf:
            return
        names = MESSAGES.get(event.function, ("x",))
        try:
            self._note(event.function, [event[name] for name in (*names, "group")], event.result, event.caller())
        except Exception as error:  # a release may have other arguments
            self._recorder.lost("Collectives", error, [".collectives"])
            self._size = 1

    def _note(self, operation: str, given: list[Any], result: Any, frame: FrameType | None) -> None:
        if not self._size and not self._joined(self._ask()):  # the call has made it
            return
        whole, *_, group_of = given
        peer = int(given[-2]) if len(given) > 2 else -1
        group = self._name(group_of) if self._groups else WORLD
        whole = whole if operation != "recv" else result
        key = [
            operation,
            group,
            peer,
            static.shape(whole),
            whole.dtype if static.is_data(whole) else None,
        ]
        while frame is not None:  # a line takes long to work out: ways gone before are known by their instructions
            key += id(frame.f_code), frame.f_lasti
            frame = frame.f_back
        known = tuple(key)
        kind = self._kinds.known.get(known) or self._kinds.meet(known)
        kind.lane[0] = n = kind.lane[0] + 1
        row = Row(kind, n, self._recorder.under_way, bound.ref(result))
        if self._leaves.named:
            row.leaf = self._leaves.name(whole)
        self._untold.rows.append(row)
        nesting = self._nesting
        if nesting.tracing or nesting.depth:
            row.traced, row.within, nesting.talks = bool(nesting.tracing), bool(nesting.depth), True
        if not row.traced:
            kind.end[0] = row.nth = kind.end[0] + 1
            self._recorder.reductions.take(row.step, kind.reduces)
            self.open.append(row)
            self._results[id(result)] = row
            self.active = True

    def begins(self, began_s: float, given: Sequence[Any]) -> None:
        """An evaluation of some arrays begins."""
        self.began_s = began_s
        self._sure = held = False
        self._again = []
        for one in given if self._results else ():
            row = self._results.get(id(one))
            if row is not None and row.result() is one:
                held = True
                if row.done:
                    self._again.append(row)  # an evaluation has come back since, that need not have held it
                else:
                    row.sure = True
                self._sure |= row.sure
        self._held, self._none, self._apart = MANY, False, False
        if given and (self._passed or (self.open and not held)):
            self._held = self._beside.held(given, self._recorder.lazy_steps, counts=bool(self._passed))
            self._none = not (held or self._held)
            self._apart = self._none and self._beside.is_one(given)
        if not self._apart:
            self._box.begins(self.open, began_s)

    def returns(self, now_s: float, *, waits: bool = True) -> None:
        """The evaluation has returned; one that does not wait has only begun."""
        began_s, self.began_s = self.began_s, 0.0
        for row in self._again:
            if row.sure:  # it was told to wait
                row.done = now_s
                self._untold.add(row)
        if self._apart or (waits and not self._sure and now_s - began_s < AT_ONCE_S):
            return
        for row in self.open:
            row.begun = row.begun or began_s
            row.done = now_s if waits else 0.0
            row.passed = self._none
            if not row.news:
                self._untold.add(row)
        if self._none:
            self._passed = [*self._passed, *self.open][-KEPT:]
        elif self._passed:
            for row in last(self._passed, self._held - len(self.open)):
                row.passed = False
                self._untold.add(row)
        if waits:
            self._box.returns(self.open, now_s)
            self.open.clear()
            self._forget()

    def _forget(self) -> None:
        """Keep the results that live, and may never have been computed."""
        if self._sure and len(self._results) == 1:
            self._results.clear()
        elif self._results:
            some = list(self._results.items())
            self._results = {key: row for key, row in some if not row.sure and row.result() is not None}

    def fails(self) -> None:
        """The evaluation has raised an exception."""
        self.began_s = 0.0
        self._again = []

    def tell(self) -> None:
        """Send what the supervisor does not know; also on the agent's own thread, while the program waits for ever."""
        now_s, began_s = bound.monotonic(), self.began_s
        for row in list(self.open) if not self._apart else ():
            if row.built <= began_s:  # not after: the program goes on meanwhile
                row.begun = row.begun or began_s
                self._untold.add(row)
        if began_s and now_s - began_s > LONG_S:
            for row in self._again:
                row.begun, row.done, row.sure = began_s, 0.0, True
                self._untold.add(row)
        news = began_s != self._told_began_s
        for _ in range(0, max(len(self._untold.rows), news), AT_ONCE):
            some = self._untold.take()
            rows = [self._words.row(one, now_s) for one in some]
            if not self._recorder.channel.send(
                "collectives", at=now_s, rows=rows, evaluating=ago(began_s, now_s), counts=self._kinds.counts()
            ):
                self._untold.put_back(some)
                return
            self._told_began_s = began_s


class Apart:
    """Draw what is evaluated, at each line the first few times; the most that it held then it is taken to hold."""

    def __init__(self) -> None:
        self.array: Any = None
        self._drawn: dict[tuple[call_site.Site, bool], tuple[int, int]] = {}

    def is_one(self, given: Sequence[Any]) -> bool:
        """Tell whether a single array is evaluated."""
        return len(given) == 1 and type(given[0]) is self.array

    def held(self, given: Sequence[Any], lazy_steps: int, *, counts: bool) -> int:
        """Return how many collectives the evaluation that is about to begin holds; `MANY` where nobody knows.

        Unless that `counts`, one is like many.
        """
        alone = self.is_one(given)
        key = call_site.calling(), alone
        times, most = self._drawn.get(key, (0, 0))
        if times < DRAWINGS and lazy_steps <= MOST_LAZY and (counts or not most):
            text = lazy_graph.drawn(list(given) if alone else lazy_graph.leaves(list(given)))
            times, most = times + 1, max(most, sum(map(text.count, DRAWN)))
            self._drawn[key] = times, most
        return most if times else MANY


def last(passed: list[Row], most: int) -> list[Row]:
    """Take the last so many of what was passed over: an evaluation has held as many, and no more."""
    first = max(0, len(passed) - max(0, most))
    found = passed[first:]
    del passed[first:]
    return found


class Leaves:
    """Know the arrays of the last gradient call by identity, at the steps that all ranks look at, and keep none."""

    def __init__(self) -> None:
        self._calls = 0
        self.named: dict[int, tuple[bound.ref[Any], str]] = {}  # none at most steps

    def take(self, gradients: Any) -> None:
        """A gradient call has returned these."""
        self._calls += 1
        self.named = {}
        if is_landmark(self._calls):
            named = lazy_graph.named_leaves(gradients)
            self.named = {id(one): (bound.ref(one), path) for path, one in named[:MOST_GRADIENTS]}

    def name(self, array: Any) -> str:
        """Return the path of a gradient; an empty string where it is none, or not known."""
        known = self.named.get(id(array))
        return known[1] if known is not None and known[0]() is array else ""
