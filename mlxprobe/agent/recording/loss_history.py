"""The losses of a run: those that the program reads, those that it only gathers, and a sample of all others."""

from __future__ import annotations

import math
import re
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

from mlxprobe.agent.graph import lazy_graph
from mlxprobe.agent.patching.interrupts import Quietly
from mlxprobe.agent.recording.gradient_call import loss_in
from mlxprobe.agent.wire import bound
from mlxprobe.agent.wire.bound import get_ident, ref

SHARE, FREE_S = 0.002, 0.1  # of the program's time; what is read at first must not hang on how fast a machine is
MODELS = 32  # whose first loss is read whatever has been spent
ROOM = 256  # losses that are followed, before those that have gone are forgotten
GATHERED = 2  # losses alive and unread while another value is read: of a list of them, perhaps
LOOKED_AT_ONCE = 256
MISSES = 4  # looks at losses that nothing had evaluated: such a program's are not held any more
ASYNCHRONOUS = 8  # gradient calls after an `async_eval`: to read then would be to wait
LONG_PAST = 16  # gradient calls: MLX schedules no more than 10 evaluations ahead
APART, AT_LEAST, NEARLY = 0.04, 4, 32  # between two losses that are evaluated here: calls; operations of such a loss
COSTLY = re.compile(
    r'label ="[^"]*(?:Mat[Mm]ul|MM|Convolution|Attention|CustomKernel|FFT|Scan|Sort|Load)'
)  # nothing waited

Followed = tuple[ref[Any], int, int]  # a loss, the gradient call that returned it, and whose it is


class LossPath:
    """Follow losses without keeping them alive; only the newest is held, up to the next gradient call.

    Most trainers read a mean or a sum, of arrays that nothing leads to any more once it is evaluated. So the losses
    themselves are read here, where the program has evaluated them. Where it has evaluated the gradients alone, a loss
    is a few small operations away: a sample of them is evaluated here. The others keep their graphs, as the program
    has them: memory that a running sum holds is a finding.
    """

    def __init__(self, note: Callable[[int, float, int], None]) -> None:
        self._note = note
        self.not_finite: Callable[[int], None] = lambda _: None  # a value of a gradient call is not
        self.finite = 0  # the last gradient call with a loss that is
        self._passed: list[Followed] = []  # not among those that follow yet
        self._followed: dict[int, Followed] = {}  # by identity; some have gone
        self._room = ROOM
        self._newest: Any = None
        self._stream = self._thread = 0
        self.was_read = False  # the newest loss, by the program
        self.is_evaluated = False  # the newest loss, when the program comes: so will be what the next waits for
        self._call = 0
        self.readable_from = 0  # the gradient call since which to read an evaluated array is not to wait for it
        self.scheduled: deque[tuple[Any, Followed]] = deque(maxlen=LOOKED_AT_ONCE)
        self._hits = self._misses = 0
        self.may_compute: Callable[[], bool] = lambda: True  # no other rank might have to take part
        self._ours = 1  # the gradient call whose loss may be evaluated here next
        self._known: set[int] = set()  # models of which a loss was read: the first of each is evaluated here if need be
        self._before: dict[int, ref[Any]] = {}  # the loss before the newest, of each model: a list keeps it
        self.schedule: Callable[[Any], None] = lambda _: None  # MLX's own
        self.sampled: Callable[[bool], None] = lambda _: None  # has the program itself evaluated no loss?
        self._alone: bool | None = None
        self._values: list[tuple[int, Any, int]] = []  # read, and not reported yet
        self._began_s = self._spent_s = 0.0
        self.may_look_s = 0.0  # from when on another look is paid for

    def schedules(self) -> None:
        """The program schedules an evaluation: what it gives is there later."""
        self.readable_from = self._call + ASYNCHRONOUS

    def follow(self, value: Any, call: int, stream: int) -> None:
        """Remember what gradient call number `call` returned, the loss or a tuple with it."""
        self.take(loss_in(value), call, stream)

    def take(self, loss: Any, call: int, stream: int) -> None:
        """Remember a loss."""
        if self._newest is not None:
            self._let_go(self._newest)
        self._call, self.was_read, self._newest, self._stream = call, False, loss, stream
        self._thread = get_ident()
        if self._misses >= MISSES and not self._hits and loss is not None and call < self._ours and not self._is_new():
            self._let_go(loss)

    def _is_new(self) -> bool:
        """Check whether nothing is known of the newest model so far."""
        return self._stream not in self._known and len(self._known) < MODELS

    def _let_go(self, newest: Any) -> Followed:
        """Follow the newest loss on, and hold it no more."""
        self._newest = None
        entry = ref(newest), self._call, self._stream
        self._passed.append(entry)
        return entry

    def _sorted_in(self) -> dict[int, Followed]:
        """Return the losses that are followed by their identity; the later of two with the same is the one alive."""
        if self._passed:
            self._followed |= {id(one[0]()): one for one in self._passed}
            self._passed.clear()
        return self._followed

    def _alive(self) -> list[Followed]:
        """Forget the losses that have gone; return the others, in their order."""
        held = sorted(((one[0](), one) for one in self._sorted_in().values()), key=lambda pair: pair[1][1])
        self._followed = {id(loss): one for loss, one in held if loss is not None}
        return list(self._followed.values())

    def read(self, array: Any, value: Any) -> None:
        """The program read `value` from `array`; when that is a loss, note it once."""
        if array is self._newest:
            if not issubclass(type(value), str):
                self._newest, self.was_read = None, True
                if self._alone is not False:
                    self._is_read()
                self._tell(self._call, value, self._stream)
            return
        entry = self._sorted_in().get(id(array))
        if entry is None or entry[0]() is not array:
            if len(self._followed) + (self._newest is not None) >= GATHERED and self._may_look():
                self._look_at_gathered()
        elif not issubclass(type(value), str):
            del self._followed[id(array)]
            self._is_read()
            self._tell(entry[1], value, entry[2])

    def _look_at_gathered(self) -> None:
        newest = self._newest
        if newest is not None:
            self._let_go(newest)
        alive = self._alive()
        if len(alive) >= GATHERED:
            self._look(alive[:LOOKED_AT_ONCE])
        self.was_read |= newest is not None and id(newest) not in self._sorted_in()
        self._newest = None if self.was_read else newest

    def hand_on(self, *, known: bool) -> None:
        """Do as `settle` does where nothing may be looked at."""
        self.is_evaluated = self.was_read and known
        newest = self._newest
        if newest is not None:
            self._newest = None
            self._passed.append((ref(newest), self._call, self._stream))

    def settle(self, now_s: float = math.inf, *, lazy: bool = False, waited: bool = False, ended: bool = False) -> None:
        """The program comes for its next gradients, or has `ended`: read the newest loss, if that is evaluated by now.

        One that is only scheduled is read later, when the device has long come past it. One that is not evaluated is
        evaluated here now and then, if the program has `waited` for an evaluation since its gradients.
        """
        newest = self._newest
        self.is_evaluated = self.was_read
        if len(self._passed) > self._room:
            self._room = ROOM + len(self._alive())
        if newest is not None:
            entry = self._let_go(newest)
            new = self._is_new()
            if not lazy and (new or now_s >= self.may_look_s):
                due, before = ended or new or self._call >= self._ours, self._before.get(self._stream)
                due = due and waited and self._thread == get_ident()  # MLX's lazy arrays belong to their threads
                self._settle(newest, entry, compute=due and (before is None or before() is None))
            self._before[self._stream] = entry[0]
        if self.scheduled:
            self._read_scheduled(0 if ended else LONG_PAST)

    def _settle(self, newest: Any, entry: Followed, *, compute: bool) -> None:
        began = lazy_graph.spent_s()
        text, past = lazy_graph.drawn([newest]), self._call >= self.readable_from
        waiting = lazy_graph.operations(text)
        self._misses += waiting > 0 and past
        if waiting and compute and waiting <= NEARLY and not COSTLY.search(text) and self.may_compute():
            self._ours = self._call + max(AT_LEAST, int(APART * self._call))
            self._known.add(entry[2])
            self._compute(newest, entry, past=past)
        elif not waiting:
            self._is_read()
            self._hits, self.is_evaluated = self._hits + past, past
            if past:
                self._take_out(newest, entry)
            else:
                self.scheduled.append((newest, entry))
        self._paid(began)

    def _is_read(self) -> None:
        """The program has read or evaluated a loss itself."""
        if self._alone:
            self.sampled(False)
        self._alone = False

    def _compute(self, loss: Any, entry: Followed, *, past: bool) -> None:
        """Evaluate a loss, and wait for nothing that the program does not wait for."""
        if self._alone is None:
            self._alone = True
            self.sampled(True)
        with Quietly(RuntimeError):  # what an evaluation can raise is the program's to meet
            if past:
                self._take_out(loss, entry)
            else:
                self.schedule(loss)
                self.scheduled.append((loss, entry))

    def _take_out(self, loss: Any, entry: Followed) -> None:
        """Read a loss, and follow it no more."""
        self._values.append((entry[1], loss.item(), entry[2]))
        del self._sorted_in()[id(loss)]

    def _read_scheduled(self, past: int) -> None:
        while self.scheduled and self.scheduled[0][1][1] <= self._call - past:
            _, one = self.scheduled.popleft()
            if bound.monotonic() >= self.may_look_s:
                self._look([one])

    def _tell(self, call: int, read: Any, stream: int) -> None:
        self._known.add(stream)
        try:
            value = float(read)
        except TypeError:  # a complex number
            return
        self._note(call, value, stream)
        if math.isfinite(value):
            self.finite = call
        else:
            self.not_finite(call)

    def _may_look(self) -> bool:
        return self._call >= self.readable_from and bound.monotonic() >= self.may_look_s

    def _look(self, entries: Iterable[Followed]) -> None:
        """Read losses up to the first that is not evaluated: what came later is not either.

        What it costs is processor time: a machine that is busy must not use up what may be spent.
        """
        began = lazy_graph.spent_s()
        for one in entries:
            loss = one[0]()
            if loss is None or self._sorted_in().get(id(loss)) is not one:
                continue
            if lazy_graph.pending([loss]):
                self._misses += 1
                break
            self._hits += 1
            self._take_out(loss, one)
        self._paid(began)

    def _paid(self, began: float) -> None:
        """Pay for reading, and tell what was read: to look for where a NaN arose is paid for elsewhere."""
        self._spent_s += lazy_graph.spent_s() - began
        self._began_s = self._began_s or bound.monotonic()
        self.may_look_s = self._began_s + (self._spent_s - FREE_S) / SHARE
        while self._values:
            self._tell(*self._values.pop(0))
