"""What a user's function does beside what it returns, read off its source: whether a second call could show."""

from __future__ import annotations

import builtins
import contextlib
import gc
import math
import os
import sys
from collections.abc import Callable, Iterator
from types import CodeType, FrameType
from typing import Any

from mlxprobe.agent.introspection import call_site, isolated_import
from mlxprobe.agent.introspection.code_ownership import AGENT, GENERATED
from mlxprobe.agent.introspection.trees import is_trained
from mlxprobe.agent.patching import static
from mlxprobe.agent.patching.interrupts import Stop, handler_codes, let_through
from mlxprobe.agent.wire import bound

# modules whose functions change nothing that is not handed to them
HARMLESS = {"mlx", "math", "cmath", "functools", "operator", "itertools", "typing", "collections", "copy", "numpy"}
HARMLESS |= {"dataclasses", "contextlib", "types", "enum", "inspect", "abc", "numbers", "fractions", "re", "time"}
HARMLESS |= {"weakref"}  # whose callbacks come whenever something is let go of
HARMLESS |= {"_collections_abc", "reprlib", "textwrap", "string", "annotationlib"}
STANDARD = os.path.join(os.path.dirname(os.__file__), "")
OWN = os.path.join(os.path.dirname(AGENT), "")
IMPORT = "<frozen importlib"
CLOCK_EVERY = 256  # events: to ask for the time of a thread is a call of the system
REPLAY_WITHIN_S = 1.0  # of this thread's own computing, for one call of a model, which the program makes each step


@contextlib.contextmanager
def followed(effects: Effects) -> Iterator[None]:
    """Read the functions that run meanwhile, each once; what the collector lets go of is not theirs, and waits."""
    if sys.getprofile() is not None:
        effects.found = effects.found or "is profiled"
        yield
        return
    codes = effects.codes

    def follow(frame: FrameType, event: str, _: Any) -> None:
        if event == "call" and (frame.f_code not in codes or frame.f_code in effects.skipping):
            try:
                effects.visit(frame)
            except Exception as error:
                let_through(error)
                effects.found = effects.found or f"cannot be read ({type(error).__name__})"

    collects = gc.isenabled()
    gc.disable()
    sys.setprofile(follow)
    try:
        yield
    finally:
        if sys.getprofile() is follow:  # and not a profiler that the program has begun
            sys.setprofile(None)
        effects.settle()
        if collects and "gc." not in effects.found:
            gc.enable()


class Effects:
    """Read each function of the user's that runs; `found` names the first effect, `roots` the modules in sight."""

    def __init__(self) -> None:
        self.found = ""
        self.codes: set[CodeType] = set()
        self.skipping: set[CodeType] = set()  # of these, those with branches that were not taken: read at every call
        self.changed: list[Any] = []  # modules that are written to: harmless where they are put back
        self.roots: list[bound.ref[Any]] = []
        self.reads: dict[tuple[int, str], dict[str, Any]] = {}  # globals that hold arrays, by name
        self._unresolved: dict[str, str] = {}  # methods of what is not known, by name
        self._ran: set[str] = set()  # names of the functions in Python that ran
        self.begins: Callable[[FrameType], None] = lambda _: None  # told of each function of the user's, once

    def shows(self, frame: FrameType) -> bool:
        """Tell whether a function that begins has not been read, or does what a second call could show this time."""
        if frame.f_code in self.codes and frame.f_code not in self.skipping:
            return False
        if frame.f_code in self.codes:
            self.visit(frame)
        if frame.f_code in self.codes or is_library(frame.f_code.co_filename):
            return bool(self.found)
        return bool(self.found) or not is_import_of_ours(frame)

    def settle(self) -> None:
        """All functions have run: a method that none of them is may be one in C, which does what it likes."""
        for name, effect in self._unresolved.items():
            if name not in self._ran:
                self._tell(effect)
        self._unresolved = {}

    def visit(self, frame: FrameType) -> None:
        """A function begins."""
        code = frame.f_code
        self._ran.add(code.co_name)
        file = code.co_filename
        if (is_library(file) and is_called_by_us(frame)) or is_import_of_ours(frame):
            return
        self.codes.add(code)
        if is_library(file):
            self._visit_library(code, file)
        elif not code.co_name.startswith("<") or code.co_name == "<lambda>":
            self._visit_users(frame, code, file)

    def _visit_library(self, code: CodeType, file: str) -> None:
        name = os.path.splitext(os.path.relpath(file, STANDARD))[0].split(os.sep)[0]
        if name not in HARMLESS:
            self._tell(f"calls {name}.{code.co_name}")

    def _visit_users(self, frame: FrameType, code: CodeType, file: str) -> None:
        if call_site.whose(file) == GENERATED and code.co_name.startswith("__"):
            return  # what a dataclass or a named tuple makes
        self.begins(frame)
        if self.found:  # it will not be run by us
            self._remember(frame, code)
            return
        with isolated_import.importable():
            from mlxprobe.agent.introspection.free_variables import Reader, functions

        nodes = functions(file).get((code.co_name, code.co_firstlineno), [])
        if not nodes:
            self._tell(f"runs {code.co_name}, whose source cannot be read")
        scope = {**vars(builtins), **frame.f_globals, **call_site.variables(frame)}
        self._remember(frame, code)
        for node in nodes:
            reader = Reader(node, scope, self.changed, HARMLESS)
            base = os.path.basename(file)
            for effect in reader.effects():
                self._tell(f"{effect[0]} at {base}:{effect[1]}")
            for name, line in reader.unresolved.items():
                self._unresolved.setdefault(name, f"calls {name} of what is not known at {base}:{line}")
            self.skipping |= {code} if reader.skips else set()

    def _remember(self, frame: FrameType, code: CodeType) -> None:
        shared = {name: frame.f_globals[name] for name in code.co_names if name in frame.f_globals}
        for one in [*call_site.variables(frame).values(), *shared.values()]:
            if is_trained(one) and not any(known() is one for known in self.roots):
                self.roots.append(bound.ref(one))
        for name, one in shared.items():
            if static.is_a(one, static.CONTAINERS) or static.is_data(one):
                self.reads[id(frame.f_globals), name] = frame.f_globals

    def _tell(self, effect: str) -> None:
        self.found = self.found or effect


def guard(
    effects: Effects,
    within_s: float = math.inf,
    read: Callable[[FrameType], None] | None = None,
    watch: Callable[[FrameType, str, Any], None] | None = None,
) -> Callable[[FrameType, str, Any], None]:
    """Return what stops at the first function of the user's that was not read, or that goes where it did not then.

    Args:
        effects: what was read.
        within_s: the time that this thread computes after which any call stops it.
        read: reads a function that begins, and stops there itself, where nothing was read before.
        watch: called at each event of a function in Python.
    """
    until, events, handlers = bound.thread_time() + within_s, 0, handler_codes()
    handler: FrameType | None = None  # of a signal: what it does is the program's own, and happens once

    def follow(frame: FrameType, event: str, result: Any) -> None:
        nonlocal events, handler
        if handler is not None:
            handler = None if frame is handler and event == "return" else handler
            return
        if event == "call" and frame.f_code in handlers and frame.f_code not in effects.codes:
            handler = frame
            return
        events += 1
        if not events % CLOCK_EVERY and bound.thread_time() > until:
            raise Stop
        if event == "call" and read is not None:
            read(frame)
        elif event == "call" and effects.shows(frame):
            if is_made_by_us(frame):
                return
            raise Stop
        if watch is not None:
            watch(frame, event, result)

    return follow


def is_ours(file: str) -> bool:
    """Tell whether a file is MLX's or the agent's own: what runs there can be put back."""
    return is_library(file) and (not file.startswith(STANDARD) or f"-packages{os.sep}" in file)


def is_made_by_us(frame: FrameType) -> bool:
    """Tell whether a function is MLX's or the agent's, or is generated for such: a named tuple's has no file."""
    file, caller = frame.f_code.co_filename, frame.f_back
    generated = caller is not None and call_site.whose(file) == GENERATED
    return is_ours(caller.f_code.co_filename if caller is not None and generated else file)


def is_called_by_us(frame: FrameType) -> bool:
    """Tell whether a function of a library is called by MLX or the agent, and not by the user."""
    caller: FrameType | None = frame
    while caller is not None and is_library(caller.f_code.co_filename) and not is_ours(caller.f_code.co_filename):
        caller = caller.f_back
    return caller is not None and is_ours(caller.f_code.co_filename)


def is_import_of_ours(frame: FrameType) -> bool:
    """Tell whether a function is asked, by Python's import, for a module that the agent imports: packages add such."""
    caller: FrameType | None = frame
    imported = False
    while caller is not None:
        file = caller.f_code.co_filename
        if imported and file.startswith(OWN):
            return True
        if imported and not file.startswith((IMPORT, STANDARD)):
            return False  # the program's own import, or what it calls
        imported = imported or file.startswith(IMPORT)
        caller = caller.f_back
    return False


def is_library(file: str) -> bool:
    """Tell whether a file belongs to MLX, the agent or the standard library, whose source is not read."""
    return not call_site.is_users(file)
