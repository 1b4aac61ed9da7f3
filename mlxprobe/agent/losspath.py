"""The losses of a run: those that the program reads, and those that it only gathers, once it has evaluated them."""

from __future__ import annotations

import functools
import math
import time
import weakref
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

from mlxprobe.agent import graph
from mlxprobe.agent.arguments import like

SHARE, FREE_S = 0.002, 0.005  # of the program's time
GATHERED = 2  # losses alive and unread while another value is read: of a list of them, perhaps
LOOKED_AT_ONCE = 256
MISSES = 4  # looks at losses that nothing had evaluated: such a program's are not held any more
ASYNCHRONOUS = 8  # gradient calls after an `async_eval`: to read then would be to wait
LONG_PAST = 16  # gradient calls: MLX schedules no more than 10 evaluations ahead


class Followed(weakref.ref[Any]):
    """A loss, with the gradient call that returned it and the model whose it is."""

    __slots__ = ("call", "key", "stream")
    call: int
    key: int
    stream: int


class LossPath:
    """Follow losses without keeping them alive; only the newest is held, up to the next gradient call.

    Most trainers read a mean or a sum, of arrays that nothing leads to any more once it is evaluated. So the losses
    themselves are read here, where the program has evaluated them; never before, and never twice.
    """

    def __init__(self, note: Callable[[int, float, int], None]) -> None:
        self._note = note
        self.not_finite: Callable[[int], None] = lambda _: None  # a value of a gradient call is not
        self.finite = 0  # the last gradient call with a loss that is
        self._followed: dict[int, Followed] = {}
        self._newest: Any = None
        self.is_evaluated = False  # the newest loss, when the program comes: so will be what the next waits for
        self._call = 0
        self._asynchronous = -ASYNCHRONOUS
        self._scheduled: deque[tuple[Any, Followed]] = deque(maxlen=LOOKED_AT_ONCE)
        self._hits = self._misses = 0
        self._began_s = self._spent_s = 0.0

    def install(self, mx: Any) -> None:
        """Hear of `mx.async_eval`."""
        original = mx.async_eval

        @like(original)
        def async_eval(*args: Any) -> None:
            self._asynchronous = self._call
            original(*args)

        mx.async_eval = async_eval

    def follow(self, value: Any, call: int, stream: int) -> None:
        """Remember what gradient call number `call` returned, the loss or a tuple with it."""
        self._call, loss = call, loss_in(value)
        if loss is None:
            return
        followed = self._followed[id(loss)] = Followed(loss, self._gone)
        followed.call, followed.key, followed.stream = call, id(loss), stream
        if self._hits or self._misses < MISSES:
            self._newest = loss

    def _gone(self, followed: Followed) -> None:
        if self._followed.get(followed.key) is followed:
            del self._followed[followed.key]

    def read(self, array: Any, value: Any) -> None:
        """The program read `value` from `array`; when that is a loss, note it once."""
        if id(array) not in self._followed:
            if len(self._followed) >= GATHERED and self._may_look():
                self._look(list(self._followed.values())[:LOOKED_AT_ONCE])
        elif not isinstance(value, str):
            loss = self._followed.pop(id(array))
            self._tell(loss.call, float(value), loss.stream)

    def settle(self, now_s: float = 0.0, *, lazy: bool = False, ended: bool = False) -> None:
        """The program comes for its next gradients, or has `ended`: read the newest loss, if that is evaluated by now.

        One that is only scheduled is read later, when the device has long come past it.
        """
        newest, self._newest = self._newest, None
        entry = self._followed.get(id(newest)) if newest is not None else None
        self.is_evaluated = newest is not None and entry is None  # the program has read it
        if entry is not None and not lazy and self._affords(now_s):
            if self.may_be_read:
                self._look([entry])
                self.is_evaluated = id(newest) not in self._followed
            elif not graph.pending([newest]):
                self._scheduled.append((newest, entry))
        while self._scheduled and (ended or self._scheduled[0][1].call <= self._call - LONG_PAST):
            _, one = self._scheduled.popleft()
            if self._affords():
                self._look([one])

    def _tell(self, call: int, value: float, stream: int) -> None:
        self._note(call, value, stream)
        if math.isfinite(value):
            self.finite = call
        else:
            self.not_finite(call)

    @property
    def may_be_read(self) -> bool:
        """Whether to read an evaluated array is not to wait for it."""
        return self._call - self._asynchronous >= ASYNCHRONOUS

    def _may_look(self) -> bool:
        return self.may_be_read and self._affords()

    def _affords(self, now_s: float = 0.0) -> bool:
        now = now_s or time.monotonic()
        self._began_s = self._began_s or now
        return self._spent_s <= FREE_S + SHARE * (now - self._began_s)

    def _look(self, entries: Iterable[Followed]) -> None:
        """Read losses up to the first that is not evaluated: what came later is not either.

        What it costs is processor time: a machine that is busy must not use up what may be spent.
        """
        began = time.thread_time()
        for one in entries:
            loss = one()
            if loss is None or id(loss) not in self._followed:
                continue
            if graph.pending([loss]):
                self._misses += 1
                break
            self._hits += 1
            self._followed.pop(id(loss), None)
            self._tell(one.call, float(loss.item()), one.stream)
        self._spent_s += time.thread_time() - began


def loss_in(value: Any) -> Any:
    """Return the loss among what a gradient call or a compiled step returned; None where no number is an array."""
    first = value[0] if isinstance(value, (tuple, list)) and value else value
    return first if getattr(first, "size", 0) == 1 and _is_float(getattr(first, "dtype", "")) else None


@functools.cache
def _is_float(dtype: Any) -> bool:
    return "float" in str(dtype)
