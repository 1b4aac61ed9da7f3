"""`%load_ext mlxprobe`: cells of a notebook are watched, and their report is shown beneath them.

`%%watch` watches one cell, `%mlxprobe on` all that follow, `%mlxprobe off` none. A cell runs as it would without us:
the magic's line becomes a comment before anything is made of the cell.
"""

from __future__ import annotations

import html
import linecache
import re
import sys
import threading
from typing import Any

from mlxprobe.agent.lifecycle import autoload
from mlxprobe.agent.patching.import_hooks import is_watched
from mlxprobe.runner.sidecar import Sidecar, logged, present
from mlxprobe.schema.errors import ProbeError
from mlxprobe.system import self_process

MAGIC = "%%watch"
ZMQ = "ZMQ"  # how the threads are called that carry the kernel's messages
HEIGHT = 640  # of the report beneath a cell, in pixels; it scrolls
USAGE = "%mlxprobe on | off, or %%watch as a cell's first line; both take --stall-limit SECONDS"
_LIMIT = re.compile(r"--stall-limit[ =]([\d.]+)s?$")


class Notebook:
    """The cells of one IPython shell. One process next to the kernel watches them one after the other."""

    def __init__(self, shell: Any) -> None:
        self._shell = shell
        self._beside: Sidecar | None = None
        self._is_on = False
        self._limit_s: float | None = None  # of all cells
        self._threads = {one.native_id or 0 for one in threading.enumerate()} - {threading.main_thread().native_id or 0}
        self._runs = False
        self._wanted = False  # the report, even without findings

    def load(self) -> None:
        """Begin to listen; what the first cell would wait for is started now."""
        self._shell.input_transformers_cleanup.append(uncovered)
        self._shell.events.register("pre_run_cell", self.begins)
        self._shell.events.register("post_run_cell", self.ends)
        self._shell.register_magic_function(self.magic, "line", "mlxprobe")
        if not self._shell.custom_exceptions:
            self._shell.set_custom_exc((Exception,), shown_without_us)
        self._start()

    def unload(self) -> None:
        """Listen no more."""
        self._shell.input_transformers_cleanup.remove(uncovered)
        self._shell.events.unregister("pre_run_cell", self.begins)
        self._shell.events.unregister("post_run_cell", self.ends)
        if self._shell.custom_exceptions == (Exception,):
            self._shell.set_custom_exc((), None)
        if self._beside is not None:
            if self._runs:
                self._beside.end()
            self._beside.close()
            self._beside = None

    def magic(self, words: str) -> None:
        """Watch all cells (`on`), or none (`off`)."""
        word, _, rest = words.strip().partition(" ")
        if word not in ("on", "off") or (rest and limit_of(rest) is None):
            tell(f"{words.strip() or 'nothing'!r} is not right; {USAGE}")
            return
        self._is_on, self._limit_s = word == "on", limit_of(rest)

    def begins(self, info: Any) -> None:
        """Watch a cell that is about to run, where it is to be."""
        first, _, _ = info.raw_cell.lstrip().partition("\n")
        self._wanted = first.split(" ")[0].rstrip() == MAGIC
        if info.silent or not (self._wanted or self._is_on) or present() is not None or is_watched():
            return
        limit_s = limit_of(first.partition(" ")[2]) or self._limit_s
        try:
            beside = self._beside if self._beside and not self._beside.line.closed else self._start()
            beside.others = self._threads | set(self_process.named(ZMQ))
            beside.begin("cell", limit_s, sources=self._sources(info.raw_cell))
            self._runs = True
        except ProbeError as error:
            self._beside = None
            tell(f"this cell is not watched: {error}")

    def ends(self, result: Any) -> None:
        """Show what was seen of a cell that has run."""
        if not self._runs or self._beside is None:
            return
        self._runs = False
        wanted = "always" if self._wanted else "steps"
        self._beside.end(result.error_before_exec or result.error_in_exec, names=self._cells(), forms=wanted)
        if told := self._beside.forms:
            show(told)

    def _start(self) -> Sidecar:
        self._beside = Sidecar()
        self._beside.prepare()
        self._beside.listener.said = lambda text, level: logged(self._put(text), level)
        return self._beside

    def _cells(self) -> dict[str, str]:
        """Return what the notebook calls its cells, by the files that the shell makes of them."""
        known = dict(getattr(self._shell.compile, "_filename_map", {}))
        return {file: f"In[{number}]" for file, number in known.items()}

    def _sources(self, raw: str) -> dict[str, str]:
        """Return the text of every cell that has been run, by its file, and of the one that is about to be."""
        made = self._shell.transform_cell(raw)
        file = self._shell.compile.get_code_name(raw, made, self._shell.execution_count)
        return {one: "".join(linecache.getlines(one)) for one in self._cells()} | {file: made}

    def _put(self, text: str) -> str:
        """Put the cells' names in place of their files."""
        for file, name in self._cells().items():
            text = text.replace(file, name)
        return text


def tell(problem: str) -> None:
    """Show a text beneath the cell."""
    sys.stderr.write(f"mlxprobe: {problem}\n")


def uncovered(lines: list[str]) -> list[str]:
    """Make a comment of the magic's line: all others keep their numbers."""
    return [f"# {lines[0]}", *lines[1:]] if lines and lines[0].split(" ")[0].rstrip() == MAGIC else lines


def limit_of(words: str) -> float | None:
    """Read `--stall-limit SECONDS`; None without one."""
    found = _LIMIT.search(words.strip())
    return float(found[1]) if found else None


def show(told: dict[str, str]) -> None:
    """Show a report beneath the cell: as text and, where there is a page, that in a frame."""
    from IPython.display import display  # type: ignore[import-not-found, unused-ignore]

    if page := html.escape(told.get("text/html", ""), quote=True):
        style = f"width:100%;height:{HEIGHT}px;border:0"
        frame = f'<iframe sandbox="allow-scripts" style="{style}" srcdoc="{page}"></iframe>'
        told = told | {"text/html": frame}
    display(told, raw=True)  # type: ignore[no-untyped-call, unused-ignore]


def shown_without_us(shell: Any, kind: type[BaseException], error: BaseException, trace: Any, **how: Any) -> None:
    """Show an exception of a cell without our wrappers' frames."""
    autoload.cut(error)
    shell.showtraceback((kind, error, error.__traceback__), tb_offset=how.get("tb_offset"))


_loaded: dict[int, Notebook] = {}


def load_ipython_extension(shell: Any) -> None:
    """Load us into a shell (`%load_ext mlxprobe`)."""
    if id(shell) not in _loaded:
        _loaded[id(shell)] = Notebook(shell)
        _loaded[id(shell)].load()


def unload_ipython_extension(shell: Any) -> None:
    """Take us out of a shell (`%unload_ext mlxprobe`)."""
    if made := _loaded.pop(id(shell), None):
        made.unload()
