"""Whether a second call of a function could show: read off its source, and off what it calls."""

import gc
import logging
import signal
import sys
import textwrap
import weakref
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from mlxprobe.agent.introspection import call_site, code_ownership
from mlxprobe.agent.introspection.side_effects import Effects, followed, guard
from mlxprobe.agent.patching.interrupts import Stop
from mlxprobe.agent.recording.call_context import Nesting
from mlxprobe.agent.replay.sandbox import Refused, Sandbox

HARMLESS = {
    "makes a list of its own": "out = []\n    out.append(x)\n    return out",
    "makes a dict of its own": "out = {}\n    out['loss'] = x\n    out.update(more=x)\n    return out",
    "adds to a number of a table": "kept = NUMBERED['one']\n    kept += x\n    return kept",
    "adds to an array that it has made": "made = np.zeros(3)\n    made += x\n    return made",
    "adds to its argument": "x += 1\n    return x",
    "calls a helper": "return helper(x)",
    "maps a lambda": "return list(map(lambda one: one + 1, [x]))",
    "makes an object of its own": "return Pair(x).left",
    "hands on a function that is called as a method is": "return list(map(operator.add, [x], [x]))",
    "calls functions of C": "return max(root(abs(x)), first([x]), known('a', 0), 'a'.join('b').count('a'))",
    "adds to its own list by another name": "out = []\n    add = out.append\n    add(x)\n    return out",
    "reads a global": "return len(SEEN) + x",
    "loops over a list": "return sum(one for one in [x, x])",
    "has an optimizer that writes its state": "return Optimizer().apply_single(x, x, {})",
    "adds to what a helper has made for it": "total, kept = pairs(x)\n    kept.append(total)\n    return kept",
    "calls methods of texts that it does not know": "return [pair.items, 'a'][1].upper().split()[0].join('b')",
    "calls a method of its own that it does not know": "return [pair][0].twice(x)",
    "would write to what it is not given": "if nothing is not None:\n        nothing.append(x)",
    "would write to another kind": "if isinstance(pair, dict):\n        pair['x'] = x",
    "would write where its module were set": "rank = module.rank\n    if rank != 0 and x:\n        SEEN.append(x)",
}
AT_OTHER_CALLS = {
    "is given what it writes to": ("if nothing is not None:\n        nothing.append(x)", {"nothing": []}),
    "is given another kind": ("if isinstance(pair, dict):\n        pair['x'] = x", {"pair": {}}),
}
SHOWS = {
    "appends to a list outside": ("SEEN.append(x)", "calls SEEN.append"),
    "appends to what a helper hands on": ("total, kept = handed(x)\n    kept.append(total)", "calls kept.append"),
    "appends to what some call of a helper hands on": (
        "total, kept = either(x)\n    kept.append(x)",
        "calls kept.append",
    ),
    "appends to an argument's list": ("pair.items.append(x)", "calls pair.items.append"),
    "appends through a local name": ("kept = SEEN\n    kept.append(x)", "calls kept.append"),
    "extends an argument": ("more += [x]", "adds to more"),
    "writes a global": ("global TOTAL\n    TOTAL = x", "writes TOTAL"),
    "writes an attribute": ("pair.left = x", "writes pair.left"),
    "writes an element": ("SEEN[0] = x", "writes SEEN[0]"),
    "writes an element behind a name": ("kept = SEEN\n    kept[0] = x", "writes kept[0]"),
    "prints": ("print(x)", "calls print"),
    "opens a file": ("open('/dev/null').close()", "calls open"),
    "takes from an iterator": ("next(NUMBERS)", "calls next"),
    "loops over an iterator": ("for one in NUMBERS:\n        return one", "iterates NUMBERS"),
    "draws a number": ("random.random()", "calls random.random"),
    "draws a number of its own generator": ("GENERATOR.random()", "calls GENERATOR.random"),
    "logs": ("logging.warning('x')", "calls logging.warning"),
    "does so in a helper": ("return noisy(x)", "calls SEEN.append"),
    "appends by another name": ("push(x)", "calls push"),
    "takes from an iterator by another name": ("follow()", "calls follow"),
    "takes from a queue by another name": ("get()", "calls get"),
    "draws a number by another name": ("draw()", "calls draw"),
    "prints by a partial function": ("log(x)", "calls log"),
    "hands on a method": ("list(map(SEEN.append, [x]))", "calls SEEN.append"),
    "hands on a method by its name": ("sorted([x], key=push)", "calls push"),
    "writes an element by a function": ("operator.setitem(SEEN, 0, x)", "calls operator.setitem"),
    "asks a list for a method": ("getattr(SEEN, 'append')(x)", "calls getattr(SEEN, 'append')"),
    "draws a number of a generator in a table": ("TABLE['a'].random()", "calls random of what is not known"),
    "draws a number by a name for a generator": ("kept = GENERATOR\n    kept.random()", "uses GENERATOR, a Random"),
    "holds a lock": ("with LOCK:\n        return x", "uses LOCK, a lock"),
    "takes some of an iterator": ("list(itertools.islice(NUMBERS, 2))", "uses NUMBERS, a count"),
    "adds to a list by another name": ("kept = SEEN\n    kept += [x]", "adds to kept"),
    "adds to an element": ("kept = HELD['one']\n    kept += [x]", "adds to kept"),
    "adds to an element that it asks for": ("kept = HELD.get('one')\n    kept += [x]", "adds to kept"),
    "adds to one of two": ("kept = SEEN or []\n    kept += [x]", "adds to kept"),
    "adds to every element": ("for kept in HELD.values():\n        kept += [x]", "adds to kept"),
    "adds to a list that a function returns": ("kept = handed(x)[1]\n    kept += [x]", "adds to kept"),
    "adds to a view": ("view = ARRAY.reshape(-1)\n    view += 1", "adds to view"),
    "adds to a part": ("view = ARRAY[1:]\n    view += 1", "adds to view"),
    "adds to another's view": ("view = np.asarray(ARRAY)\n    view += 1", "adds to view"),
    "writes its result into an array": ("np.add(x, 1, out=ARRAY)", "calls ARRAY"),
    "fills an array": ("np.copyto(ARRAY, x)", "calls np.copyto"),
    "sets past the class": ("object.__setattr__(pair, 'left', x)", "calls object.__setattr__"),
    "sets by the class's own method": ("list.append(SEEN, x)", "calls list.append"),
    "calls a method by its name": ("ADDS(SEEN)", "calls ADDS"),
    "ends the program": ("if x < 0:\n        raise SystemExit(3)", "ends the program"),
    "does so in a branch not taken": ("if x < 0:\n        print(x)", "calls print"),
}
MODULE = """
import functools, itertools, logging, math, operator, queue, random, threading
import numpy as np
HELD, NUMBERED, ARRAY = dict(one=[1]), dict(one=1), np.zeros(3)

waiting = queue.SimpleQueue()
for k in range(99): waiting.put(k)
push_to = []
push, follow, get, draw = push_to.append, itertools.count().__next__, waiting.get, random.Random(0).random
log, root, first, known = functools.partial(print, "a"), math.sqrt, operator.itemgetter(0), dict(a=1).get
SEEN, NUMBERS, GENERATOR, TOTAL = [1], itertools.count(), random.Random(0), 0
TABLE, LOCK, ADDS = dict(a=GENERATOR), threading.Lock(), operator.methodcaller("append", 1)


class Pair:
    def __init__(self, left):
        self.left = left
        self.items = []

    def twice(self, x):
        return 2 * x


def helper(x):
    inner = [x]
    inner.append(x)
    return inner


def pairs(x):
    kept = []
    if x > 5:
        return x, [x]
    kept.append(x)
    return x, kept


def handed(x):
    return x, SEEN


def either(x):
    if x > 5:
        return x, SEEN
    return x, []


def noisy(x):
    SEEN.append(x)


class Optimizer:
    state = dict()

    def apply_gradients(self):
        pass

    def apply_single(self, gradient, parameter, state):
        state["m"] = gradient
        return parameter


class Trained:
    __module__ = "mlx.nn"


class Module(Trained):
    def __init__(self):
        self.rank = 0


def function(x, pair, more, nothing=None, module=Module()):
    {body}
"""


def read(body: str, folder: Path) -> tuple[Effects, Callable[..., Any], Any]:
    file = folder / "module.py"
    file.write_text(MODULE.format(body=textwrap.dedent(body)))
    names: dict[str, Any] = {"__name__": "module"}
    exec(compile(file.read_text(), str(file), "exec"), names)
    function: Callable[..., Any] = names["function"]
    for root, whose in code_ownership.pythons():
        call_site.add(root, whose)
    effects = Effects()
    with followed(effects):
        function(1, names["Pair"](2), [])
    return effects, function, names["Pair"](2)


def effect_of(body: str, folder: Path) -> str:
    return read(body, folder)[0].found


@pytest.mark.parametrize("body", HARMLESS.values(), ids=HARMLESS)
def test_what_a_function_keeps_to_itself_is_no_effect(body: str, tmp_path: Path) -> None:
    assert effect_of(body, tmp_path) == ""


@pytest.mark.parametrize(("body", "effect"), SHOWS.values(), ids=SHOWS)
def test_what_a_second_call_could_show_is_named(body: str, effect: str, tmp_path: Path) -> None:
    assert effect in effect_of(body, tmp_path)


def guarded(effects: Effects, call: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
    sys.setprofile(guard(effects))
    try:
        call(*args, **kwargs)
    finally:
        sys.setprofile(None)


@pytest.mark.parametrize(("body", "given"), AT_OTHER_CALLS.values(), ids=AT_OTHER_CALLS)
def test_a_call_that_goes_where_the_one_that_was_read_did_not_is_stopped(
    body: str, given: dict[str, Any], tmp_path: Path
) -> None:
    effects, function, pair = read(body, tmp_path)
    assert effects.found == ""
    guarded(effects, function, 1, pair, [])
    with pytest.raises(Stop):
        guarded(effects, function, **{"x": 1, "pair": pair, "more": []} | given)
    assert "nothing" not in given or given["nothing"] == []


def test_a_call_that_does_not_end_is_stopped() -> None:
    def searches() -> None:
        while True:
            len("")

    effects = Effects()
    effects.codes.add(searches.__code__)
    with pytest.raises(Refused, match="does not end"):
        Sandbox(Nesting(), effects=effects).call(searches)
    assert sys.getprofile() is None


def test_what_the_collector_lets_go_of_meanwhile_is_not_the_functions(tmp_path: Path) -> None:
    before = gc.get_threshold()
    gc.collect()
    ring: list[Any] = [ModuleType("kept")]
    ended = weakref.finalize(ring[0], logging.debug, "ended")
    ring.append(ring)
    del ring
    gc.set_threshold(100_000)
    try:
        body = "for one in range(150000):\n        ring = [x]\n        ring.append(ring)"
        assert effect_of(body, tmp_path) == "" and gc.isenabled()
        gc.collect()
        assert not ended.alive
    finally:
        gc.set_threshold(*before)


def test_a_program_that_profiles_itself_is_left_alone() -> None:
    effects = Effects()
    sys.setprofile(lambda *_: None)
    try:
        with followed(effects):
            pass
    finally:
        sys.setprofile(None)
    assert effects.found == "is profiled"


def test_what_import_asks_for_a_module_of_ours_is_not_the_programs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for root, whose in code_ownership.pythons():
        call_site.add(root, whose)
    asked: list[str] = []
    hook = "class Finder:\n    def find_spec(self, name, path=None, target=None):\n        asked.append(name)"
    scope: dict[str, Any] = {"asked": asked}
    exec(compile(hook, str(tmp_path / "hook.py"), "exec"), scope)
    monkeypatch.setattr(sys, "meta_path", [scope["Finder"](), *sys.meta_path])
    module = "mlxprobe.agent.introspection.blame"
    ours: dict[str, Any] = {}
    lazily = str(Path(call_site.__file__).with_name("lazily.py"))
    exec(compile(f"def look():\n    import {module}", lazily, "exec"), ours)
    monkeypatch.delitem(sys.modules, module, raising=False)
    guarded(effects := Effects(), ours["look"])
    assert module in asked
    monkeypatch.delitem(sys.modules, module, raising=False)
    with followed(effects):
        ours["look"]()
    assert not effects.found
    monkeypatch.delitem(sys.modules, module, raising=False)
    theirs: dict[str, Any] = {}
    exec(compile(f"def step():\n    import {module}", str(tmp_path / "train.py"), "exec"), theirs)
    with pytest.raises(Stop):
        guarded(Effects(), theirs["step"])


def test_a_signal_handler_runs_to_its_end_under_the_guard() -> None:
    handled: list[int] = []

    def nested(number: int) -> None:
        handled.append(number)

    class Handler:
        def __call__(self, number: int, frame: object) -> None:
            nested(number)
            handled.append(-number)

    def interrupted() -> None:
        signal.raise_signal(signal.SIGUSR1)

    effects = Effects()
    effects.codes.add(interrupted.__code__)
    before = signal.signal(signal.SIGUSR1, Handler())
    try:
        sys.setprofile(guard(effects))
        interrupted()
        nested(0)
    except Stop:
        handled.append(0)
    finally:
        sys.setprofile(None)
        signal.signal(signal.SIGUSR1, before)
    assert handled == [signal.SIGUSR1, -signal.SIGUSR1, 0]
