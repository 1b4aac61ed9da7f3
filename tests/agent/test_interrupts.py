"""An exception of the program's own signal handler is the program's, also where it comes up in code of ours."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator
from functools import partial, wraps
from pathlib import Path
from typing import Any, cast

import pytest
from running import PRELUDE, report_of

from mlxprobe.agent.intercept.intercepts import Intercepts, Observe
from mlxprobe.agent.patching import interrupts
from mlxprobe.agent.patching.interrupts import QUIETLY, Quietly, comes_from_outside
from mlxprobe.agent.recording.recorder import Recorder

INTERRUPTS = Path(__file__).parents[1] / "programs" / "interrupts_the_agent.py"


class Out(Exception):
    """What the handlers raise; a name of no module of Python's."""


class Handlers:
    def method(self, *_: object) -> None:
        raise Out

    @staticmethod
    def static(*_: object) -> None:
        raise Out

    def __call__(self, *_: object) -> None:
        raise Out


class Raises:
    def __init__(self, *_: object) -> None:
        raise Out


def plain(*_: object) -> None:
    raise Out


def named(_: object, *__: object) -> None:
    inner()


def inner() -> None:
    raise Out


@wraps(plain)
def decorated(*args: object) -> None:
    plain(*args)


HANDLERS: dict[str, Any] = {
    "a function": plain, "a function that calls another": partial(named, 1), "a method": Handlers().method,
    "a static method": Handlers.static, "an object": Handlers(), "a class": Raises, "a decorated function": decorated,
    "a partial function of a method": partial(partial(Handlers().method, 1), 2),
}  # fmt: skip


@pytest.fixture(autouse=True)
def _handler_as_before() -> Iterator[None]:
    handler = signal.getsignal(signal.SIGUSR1)
    yield
    signal.signal(signal.SIGUSR1, handler)


def raised_by(call: Callable[[], Any]) -> Exception:
    try:
        call()
    except Exception as error:
        return error
    raise AssertionError


def interrupt() -> None:
    signal.raise_signal(signal.SIGUSR1)
    sum(range(10))


@pytest.mark.parametrize("name", HANDLERS)
def test_what_a_handler_raises_comes_from_outside(name: str) -> None:
    signal.signal(signal.SIGUSR1, HANDLERS[name])
    error = raised_by(interrupt)
    assert comes_from_outside(error)
    with pytest.raises(Out), QUIETLY:
        raise error
    signal.signal(signal.SIGUSR1, signal.SIG_DFL)
    assert not comes_from_outside(error)


@pytest.mark.parametrize("handler", [signal.SIG_IGN, signal.SIG_DFL, signal.default_int_handler, plain])
def test_what_fails_by_itself_does_not(handler: Any) -> None:
    signal.signal(signal.SIGUSR1, handler)
    fails: list[Any] = [lambda: int("x"), inner, Quietly.__enter__, lambda: cast(Any, interrupts)._is_set(None, None)]
    for call in fails:
        assert not comes_from_outside(raised_by(call))
    assert not comes_from_outside(Out())


def test_what_another_thread_sets_in_code_of_ours_comes_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    def raises(*_: object) -> None:
        raise Out

    monkeypatch.setattr(interrupts, "OURS", str(Path(__file__).parent))
    assert comes_from_outside(raised_by(raises))
    assert not comes_from_outside(raised_by(lambda: int("x")))


def test_some_kinds_alone_are_dropped() -> None:
    with Quietly(KeyError, IndexError):
        raise IndexError
    with pytest.raises(ValueError, match="no"), Quietly(KeyError):
        raise ValueError("no")


class Nobody(Recorder):
    """A recorder that reports nothing."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def fact(self, fact: Any, site: Any = None) -> None:
        self.told.append(fact.error)

    def revise(self, fact: Any, site: Any) -> None:
        self.told.append(fact.error)


def test_our_guards_report_what_fails_and_let_through_what_a_handler_raises() -> None:
    recorder = Nobody()
    with recorder.carefully():
        raise KeyError("ours")
    recorder.failed(KeyError("ours"))
    assert recorder.lost("Part", KeyError("ours"), [])
    assert recorder.told == ["KeyError: 'ours'"] * 3
    signal.signal(signal.SIGUSR1, plain)
    error = raised_by(interrupt)
    with pytest.raises(Out), recorder.carefully():
        raise error
    with pytest.raises(Out):
        recorder.failed(error)
    with pytest.raises(Out):
        recorder.lost("Part", error, [])
    assert len(recorder.told) == 3


class Where:
    """Where the program is: nowhere in particular."""

    due, tracing, inside = True, False, False

    def state(self) -> int:
        return 0


class Observer:
    def __init__(self, name: str, told: list[str], *, interrupts: bool) -> None:
        self.name, self.told, self.interrupts = name, told, interrupts

    def _before(self, event: Any) -> None:
        self.told.append(f"{self.name} before")
        if self.interrupts:
            interrupt()

    def _raised(self, event: Any) -> None:
        self.told.append(f"{self.name} raised")


def test_all_observers_of_a_call_are_told_where_a_handler_raises_in_one() -> None:
    told: list[str] = []
    intercepts = Intercepts(Where(), lambda *_: True)
    for name in ("first", "second"):
        observes = [Observe("mlx.core.load", "_before"), Observe("mlx.core.load", "_raised", raised=True)]
        intercepts.add(Observer(name, told, interrupts=name == "first"), observes)
    rows = [row for _, row in intercepts._rows]
    load = intercepts._wrapped(told.append, rows, ["file"])
    signal.signal(signal.SIGUSR1, plain)
    with pytest.raises(Out):
        load("a file")
    assert told == ["first before", "second before", "first raised", "second raised"]
    signal.signal(signal.SIGUSR1, lambda *_: None)
    told.clear()
    load("a file")
    assert told == ["first before", "second before", "a file"]


@pytest.mark.slow
@pytest.mark.parametrize("way", ["eager", "compiled"])
def test_whatever_place_of_ours_a_handler_raises_in(way: str, tmp_path: Path) -> None:
    """The program gets the exception, and the agent is as it was; a part of it that fails would be reported."""
    ran, row = report_of(tmp_path, "--", sys.executable, str(INTERRUPTS), way)
    assert ran.code == 0, ran
    caught, wrong = ran.out.splitlines()[-2:]
    assert int(caught.split()[1]) > 20 and caught.split()[1] == caught.split()[3], ran
    assert wrong == "wrong: none", ran
    assert "DetectorFailed" not in str(row)


LIMITED = """
import signal
class Out(RuntimeError): pass
fired = caught = 0
def out(*_):
    global fired
    fired += 1
    raise Out
signal.signal(signal.SIGALRM, out)
for k in range(100):
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.002 + 0.00003 * k, 0.1)
        while True: train(1)
    except Out: caught += 1
    finally: signal.setitimer(signal.ITIMER_REAL, 0)
print(fired, caught)
"""


@pytest.mark.slow
def test_a_time_limit_is_never_lost(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(PRELUDE + LIMITED)
    ran, _ = report_of(tmp_path, "train.py")
    assert ran.out.split() == ["100", "100"], ran
