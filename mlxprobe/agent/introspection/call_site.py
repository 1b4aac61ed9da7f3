"""Where something happened: the innermost line of somebody's code, and the user's own line that led to it."""

from __future__ import annotations

import functools
import linecache
import os
import sys
from types import CodeType, FrameType, TracebackType
from typing import Any

from mlxprobe.agent.introspection.code_ownership import GENERATED, LIBRARY, OWN, PACKAGE, Roots
from mlxprobe.agent.patching import static
from mlxprobe.agent.patching.interrupts import let_through
from mlxprobe.agent.wire import bound

Site = tuple[str, int]
NOWHERE: Site = ("", 0)
CALLERS_AT_MOST = 10_000
TEXT_CHARACTERS = 200
WAY_LINES = 12
OPTIMIZED = 1  # a function's code: `inspect.CO_OPTIMIZED`
ASKS = {"locals", "vars"}
REWRITTEN = (
    "@py_builtins"  # in functions whose assertions pytest has rewritten: these ask for `locals`, and keep nothing
)
OURS = 3  # references to what a frame has made for us: its own, ours, and the one that counts

roots = Roots()
_callers: dict[Site, Site] = {}  # of lines in installed packages: the script's line that led there first


@functools.lru_cache(4096)
def whose(file: str) -> str:
    """Tell whose a source file is (see `Roots`)."""
    return roots.whose(file)


def add(folder: str, owner: str) -> None:
    """Take in a folder (see `Roots`)."""
    roots.add(folder, owner)
    whose.cache_clear()


def is_users(file: str) -> bool:
    """Tell whether a source file is somebody's code: not the agent's, not MLX's, not the standard library's."""
    return whose(file) != LIBRARY


def whose_module(name: str) -> str:
    """Tell whose a module is; without a file only the main one is the user's: a notebook, or `python -c`."""
    file = file_of(name)
    return whose(file) if file else OWN if name == "__main__" else LIBRARY


def file_of(name: str) -> str:
    """Return the source file of a module that was imported; empty where it has none."""
    file = static.attributes(sys.modules.get(name)).get("__file__")
    return file if type(file) is str else ""


def is_mlx(name: str) -> bool:
    """Tell whether a module is MLX's, and not in a folder of the user's that is called so too."""
    return name.startswith("mlx.") and whose_module(name) == LIBRARY


def calling() -> Site:
    """Return file and line of the innermost frame of user code that is being executed; it raises nothing of ours."""
    try:
        return innermost(bound.frame(1))
    except Exception as error:  # of what the program has replaced
        let_through(error)
        return NOWHERE


def way(above: int = 0) -> tuple[tuple[Site, ...], list[CodeType]]:
    """Return the lines of somebody's code that are being executed, from the one that `calling` returns outwards.

    Beside them the code of all that is being executed. The agent's own calls `above` may be left out.
    """
    frame: FrameType | None = bound.frame(1 + above)
    first, codes = innermost(frame), []
    found: list[Site] = []
    while frame is not None:
        codes.append(frame.f_code)
        if whose(frame.f_code.co_filename) in (OWN, PACKAGE):
            found.append((frame.f_code.co_filename, frame.f_lineno))
        frame = frame.f_back
    return (tuple(found) if found and found[0] == first else (first, *found)), codes


def led(lines: tuple[Site, ...]) -> str:
    """Write a way in few characters, where it has more than one line: its innermost ones."""
    return " < ".join(map(brief, lines[:WAY_LINES])) if len(lines) > 1 else ""


def deciding(name: str) -> Site:
    """Return the innermost line of the user's own in a function that is not given an argument of a name itself."""
    frame: FrameType | None = bound.frame(1)
    found = NOWHERE
    while frame is not None:
        code = frame.f_code
        if whose(code.co_filename) == OWN:
            found = code.co_filename, frame.f_lineno
            if name not in code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]:
                return found
        frame = frame.f_back
    return found


def stack() -> list[tuple[int, FrameType]]:
    """List the frames of the user's own code that are being executed, innermost first, by identity."""
    frame: FrameType | None = bound.frame(1)
    found = []
    while frame is not None:
        if whose(frame.f_code.co_filename) == OWN:
            found.append((id(frame), frame))
        frame = frame.f_back
    return found


def making(kind: type) -> Site:
    """Return the innermost line of somebody's code that has a `kind` made: none of the kind's own methods."""
    frame: FrameType | None = bound.frame(1)
    own = {id(code) for base in static.lineage(kind) for one in static.namespace(base).values() if (code := _code(one))}
    while frame is not None and (id(frame.f_code) in own or whose(frame.f_code.co_filename) == LIBRARY):
        frame = frame.f_back
    return innermost(frame)


def _code(one: Any) -> Any:
    plain = one.__func__ if static.is_a(one, (staticmethod, classmethod)) else one
    return static.code(plain)


def innermost(frame: FrameType | None) -> Site:
    """Return file and line of the innermost of these frames that is somebody's code; generated code if all is."""
    made = NOWHERE
    while frame is not None:
        file = frame.f_code.co_filename
        owner = whose(file)
        if owner == OWN:
            return file, frame.f_lineno
        if owner == PACKAGE:
            return _remembered((file, frame.f_lineno), frame.f_back)
        if owner == GENERATED and made == NOWHERE:
            made = (file, frame.f_lineno)
        frame = frame.f_back
    return made


def told(site: Site) -> dict[str, Any]:
    """Put a site into the words of an event, with the user's own line that led there if it is another."""
    by = _callers.get(site)
    return {
        "file": site[0],
        "line": site[1],
        "source": text(site),
        "caller": by and {"file": by[0], "line": by[1], "source": text(by)},
    }


def text(site: Site) -> str:
    """Return a line that this process alone can read: of a notebook's cell, of a zipped module."""
    file, line = site
    if not file or os.path.exists(file):
        return ""
    held = next(
        (one for one in map(static.attributes, list(sys.modules.values())) if one.get("__file__") == file), None
    )
    return linecache.getline(file, line, held).strip()[:TEXT_CHARACTERS]


def brief(site: Site) -> str:
    """Name a place in few characters."""
    return f"{os.path.basename(site[0])}:{site[1]}" if site[1] else ""


def blamed(cause: Site, shown: Site) -> tuple[Site, str]:
    """Return where a fact is to be told, and beside it where it was seen: at the same place, if no cause is known."""
    if not cause[1] or cause == shown:
        return shown, ""
    if whose(cause[0]) == PACKAGE:
        _callers.setdefault(cause, _callers.get(shown, shown))
    return cause, brief(shown)


def moved(site: Site, line: int) -> Site:
    """Return another line of the same file, that the same caller led to."""
    if site in _callers:
        _callers.setdefault((site[0], line), _callers[site])
    return site[0], line


def raising(traceback: TracebackType | None) -> Site:
    """Return file and line of the innermost frame of somebody's code in a traceback."""
    found = own = made = NOWHERE
    before = traceback.tb_frame.f_back if traceback is not None else None
    while traceback is not None:
        file = traceback.tb_frame.f_code.co_filename
        owner = whose(file)
        if owner == OWN:
            found = own = (file, traceback.tb_lineno)
        elif owner == PACKAGE:
            found = (file, traceback.tb_lineno)
        elif owner == GENERATED:
            made = (file, traceback.tb_lineno)
        traceback = traceback.tb_next
    if found not in (own, NOWHERE):
        return _remembered(found, before, own)
    return found if found != NOWHERE else made


def _remembered(site: Site, frame: FrameType | None, own: Site = NOWHERE) -> Site:
    """Keep who led to a line in an installed package: `own`, else the innermost of these frames that is the user's."""
    if site not in _callers and len(_callers) < CALLERS_AT_MOST:
        while own == NOWHERE and frame is not None:
            if whose(frame.f_code.co_filename) == OWN:
                own = (frame.f_code.co_filename, frame.f_lineno)
            frame = frame.f_back
        if own != NOWHERE:
            _callers[site] = own
    return site


def variables(frame: FrameType) -> dict[str, Any]:
    """Return what a running function's variables are, or a module's.

    Before Python 3.13 a frame keeps what it was asked for until it ends or is asked anew: the gradients of a step, say.
    That is emptied, unless a debugger will write it back. A function that asks for its own `locals()` is not read
    there: what it was given would change under its hands.
    """
    names = frame.f_code.co_names
    if sys.version_info < (3, 13) and ASKS.intersection(names) and REWRITTEN not in names:
        return {}
    held = frame.f_locals
    if held is frame.f_globals or not frame.f_code.co_flags & OPTIMIZED:
        return held
    values = dict(held)
    alone = type(held) is dict and sys.getrefcount(held) == OURS
    if alone and sys.gettrace() is None and sys.getprofile() is None:
        held.clear()
    return values


def program_frames() -> list[FrameType]:
    """List the frames of somebody's code, without the packages that run the user's: a notebook's kernel, pytest."""
    frame: FrameType | None = bound.frame(1)
    frames, outermost = [], None
    while frame is not None:
        file = frame.f_code.co_filename
        if is_users(file):
            frames.append(frame)
            outermost = len(frames) if whose(file) == OWN else outermost
        frame = frame.f_back
    return frames[:outermost]
