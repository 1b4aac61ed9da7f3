"""An exception of the program's own signal handler is the program's, also where it comes up in code of ours."""

from __future__ import annotations

import contextlib
import gc
import signal
import sys
import threading
import weakref
from collections.abc import Callable, Iterator
from functools import partial, wraps
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
import pytest
from running import PRELUDE, report_of

from mlxprobe.agent.graph import lazy_graph
from mlxprobe.agent.hooks import alterations, updates
from mlxprobe.agent.hooks.collectives import Collectives
from mlxprobe.agent.hooks.flight_recorder import BlackBox
from mlxprobe.agent.hooks.threads import Threads
from mlxprobe.agent.hooks.updates import Updates
from mlxprobe.agent.inspectors.adapters.lora_fuse_error import Fusing
from mlxprobe.agent.inspectors.data import token_ids
from mlxprobe.agent.inspectors.updates.optimizer_recreation import Renewals
from mlxprobe.agent.intercept.events import Binding, CallEvent
from mlxprobe.agent.intercept.guarded import guarded
from mlxprobe.agent.intercept.intercepts import Intercepts, Observe
from mlxprobe.agent.introspection import call_site, trees
from mlxprobe.agent.introspection.lora_detection import Adapter, Matrix
from mlxprobe.agent.introspection.side_effects import Effects
from mlxprobe.agent.introspection.trees import Saved
from mlxprobe.agent.patching import interrupts
from mlxprobe.agent.patching.interrupts import QUIETLY, Quietly, comes_from_outside
from mlxprobe.agent.recording.call_context import Nesting
from mlxprobe.agent.recording.recorder import Recorder
from mlxprobe.agent.replay import adapter_scale
from mlxprobe.agent.replay.sandbox import Sandbox
from mlxprobe.agent.sampling.dispatcher import Inspection
from mlxprobe.agent.wire import bound

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

    channel: Any = None

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


@pytest.fixture
def threads(monkeypatch: pytest.MonkeyPatch) -> Threads:
    """What remembers the threads, wrapping `start` for this test alone; it is interrupted when it is given one."""
    monkeypatch.setattr(threading.Thread, "start", threading.Thread.start)
    made = Threads()
    monkeypatch.setattr(made, "_take", lambda _: interrupt())
    return made


def test_what_a_handler_raises_while_a_thread_is_started_is_the_programs(threads: Threads) -> None:
    pool = SimpleNamespace(ThreadPoolExecutor=SimpleNamespace(submit=lambda *_: None))
    threads._pool(pool)
    signal.signal(signal.SIGUSR1, plain)
    with pytest.raises(Out):
        threading.Thread(target=print).start()
    with pytest.raises(Out):
        pool.ThreadPoolExecutor.submit(pool, print)


def test_a_module_in_the_place_of_pythons_is_imported_as_it_is(threads: Threads) -> None:
    threads._pool(SimpleNamespace())


def test_what_a_handler_raises_while_weights_are_compared_is_the_programs(monkeypatch: pytest.MonkeyPatch) -> None:
    inspection = SimpleNamespace(at_our_cost=lambda call, *args: call(*args))
    one = Updates(cast(Any, SimpleNamespace(loaded_into=set())), cast(Any, inspection), Nesting())
    signal.signal(signal.SIGUSR1, plain)
    monkeypatch.setattr(updates, "differences", lambda *_, **__: interrupt())
    with pytest.raises(Out):
        one._compare(None, dict, strict=True, partial=False)
    monkeypatch.setattr(lazy_graph, "pending", lambda _: interrupt())
    with pytest.raises(Out):
        one._meet(SimpleNamespace(optimizers=[]), None)
    monkeypatch.undo()
    one._compare(None, dict, strict=True, partial=False)  # a module that has no parameters


def test_collectives_are_recorded_also_after_an_interruption(monkeypatch: pytest.MonkeyPatch) -> None:
    one = Collectives(Nobody(), Nesting())
    one._recorder.deaf, one._size = False, 2
    event = CallEvent("all_sum", Binding(print, ("x", "group")), (), {}, 0)
    monkeypatch.setattr(one, "_note", lambda *_: interrupt())
    signal.signal(signal.SIGUSR1, plain)
    with pytest.raises(Out):
        one._builds(event)
    assert one._size == 2
    monkeypatch.setattr(one, "_note", None)  # which cannot be called
    one._builds(event)
    assert one._size == 1


class OutOfTime(RuntimeError, OSError):
    """As libraries name theirs."""


def test_what_a_handler_raises_is_no_failure_of_an_evaluation_or_a_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def late(*_: object) -> None:
        raise OutOfTime

    def evaluate(*_: object) -> None:
        interrupt()

    signal.signal(signal.SIGUSR1, late)
    with pytest.raises(OutOfTime):
        alterations.evaluate(SimpleNamespace(eval=evaluate))
    for name in ("open_file", "write"):
        monkeypatch.undo()
        monkeypatch.setattr(bound, name, evaluate)
        with pytest.raises(OutOfTime):
            BlackBox(cast(Any, None)).open(str(tmp_path / name))


def evaluates_late(monkeypatch: pytest.MonkeyPatch) -> dict[str, Callable[[], Any]]:
    """List what may fail at what a program gives it, each with an interruption within."""
    late: Any = SimpleNamespace(size=1, tolist=interrupt, __call__=interrupt)
    inspection: Any = SimpleNamespace(intercepts=None)
    layer = nn.Linear(3, 3)
    parts = [Matrix(key, layer, "weight", shape) for key, shape in (("b", (3, 3)), ("l", (3, 1)), ("r", (1, 3)))]
    for owner, name in ((adapter_scale, "_scale"), (lazy_graph, "number"), (Effects, "visit")):
        monkeypatch.setattr(owner, name, lambda *_: interrupt())
    monkeypatch.setattr(lazy_graph, "pending", lambda _: 0)
    monkeypatch.setattr(token_ids, "speaks", lambda: True)
    return {
        "a repeated call": lambda: Sandbox(Nesting()).call(interrupt),
        "a layer": lambda: adapter_scale.adds(Adapter("", layer, *parts), Nesting()),
        "ids of a trace": lambda: token_ids.Baked(inspection).traced(call_site.NOWHERE, late),
        "ids": lambda: token_ids.Indices(inspection)._compare_with_table("target", mx.array([1]), 2, call_site.NOWHERE),
        "a fused weight": lambda: Fusing(inspection)._where_it_can_be(interrupt),
        "a function": lambda: Sandbox(Nesting())._read(sys._getframe()),
    }


@pytest.mark.parametrize(
    "what", ["a repeated call", "a layer", "ids of a trace", "ids", "a fused weight", "a function"]
)
def test_what_a_handler_raises_is_no_failure_of_what_we_try(what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def late(*_: object) -> None:
        raise OutOfTime

    call = evaluates_late(monkeypatch)[what]
    signal.signal(signal.SIGUSR1, late)
    with pytest.raises(OutOfTime):
        call()


@pytest.mark.parametrize("kind", [Out, KeyboardInterrupt])
def test_what_a_call_raises_is_let_go_of_without_the_collector(kind: type[BaseException]) -> None:
    def call(_: object) -> None:
        raise kind

    held = [Handlers()]
    known = weakref.ref(held[0])
    gc.disable()
    try:
        with contextlib.suppress(kind):
            guarded(lambda _: None, lambda once: once(held.pop()), call, (), {})
        assert known() is None
    finally:
        gc.enable()


def test_what_an_observer_has_failed_at_is_let_go_of_without_the_collector() -> None:
    def fails(_: object) -> None:
        interrupt()

    inspection = Inspection(Nobody(), ())
    inspection._inspectors.append(cast(Any, held := Handlers()))
    held.shadows = True  # type: ignore[attr-defined]
    known = weakref.ref(held)
    signal.signal(signal.SIGUSR1, plain)
    gc.disable()
    try:
        with contextlib.suppress(Out):
            inspection._each(fails)
        inspection._inspectors.clear()
        del held
        assert known() is None
    finally:
        gc.enable()


def test_what_was_lent_is_put_back_though_a_handler_raises_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    layer = nn.Linear(3, 3)
    saved, weight = Saved(layer), layer.weight
    layer.weight = mx.zeros((3, 3))
    set_to, calls = trees.set_to, list[None]()

    def late(*given: Any) -> None:
        calls.append(None)
        if len(calls) == 1:
            interrupt()
        set_to(*given)

    monkeypatch.setattr(trees, "set_to", late)
    signal.signal(signal.SIGUSR1, plain)
    with pytest.raises(Out):
        saved.put_back()
    assert layer.weight is weight


def test_nothing_of_ours_runs_where_a_program_lets_go_of_an_optimizer() -> None:
    """Python prints what a handler raises in there, and goes on."""
    renewals, optimizer = Renewals(Inspection(Nobody(), ())), optim.SGD(0.1)
    renewals._made(CallEvent("__init__", Binding(print, ("self",)), (optimizer,), {}, 0))
    made = renewals._restore(property(lambda _: None, lambda *_: None))
    cast(Any, made.fset)(optimizer, {})
    assert [one.__callback__ for one in weakref.getweakrefs(optimizer) if one.__callback__] == []


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
    load = intercepts._wrapped(told.append, rows, ["file"], told.append)
    signal.signal(signal.SIGUSR1, plain)
    with pytest.raises(Out):
        load("a file")
    assert told == ["first before", "second before", "first raised", "second raised"]
    signal.signal(signal.SIGUSR1, lambda *_: None)
    told.clear()
    load("a file")
    assert told == ["first before", "second before", "a file"]


@pytest.mark.slow
@pytest.mark.parametrize("way", ["eager", "compiled", "loading"])
def test_whatever_place_of_ours_a_handler_raises_in(way: str, tmp_path: Path) -> None:
    """The program gets the exception, and the agent is as it was; a part of it that fails would be reported."""
    ran, row = report_of(tmp_path, "--", sys.executable, str(INTERRUPTS), way)
    assert ran.code == 0, ran
    caught, wrong = ran.out.splitlines()[-2:]
    assert int(caught.split()[1]) > 10 and caught.split()[1] == caught.split()[3], ran
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


IN_A_GRADIENT = """
import signal
class Out(Exception): pass
def out(*_): raise Out
signal.signal(signal.SIGALRM, out)
def slow(m):
    signal.setitimer(signal.ITIMER_REAL, 0.001)
    while True: pass
limited = nn.value_and_grad(model, slow)
for _ in range(3):
    try: limited(model)
    except Out: train(1)
"""


@pytest.mark.slow
def test_a_time_limit_within_a_gradient_call_is_no_failure_of_it(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(PRELUDE + IN_A_GRADIENT)
    ran, row = report_of(tmp_path, "train.py")
    assert [one["message"] for one in row["findings"] if one["code"] == "MP209"] == [], ran
    assert (ran.code, ran.err) == (0, ""), ran
