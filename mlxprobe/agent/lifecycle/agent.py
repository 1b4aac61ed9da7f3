"""The agent of one process: who it is, what is wrapped in it, and who answers for it."""

from __future__ import annotations

import faulthandler
import os
import sys
import threading
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from mlxprobe.agent.hooks.entry_points import Hooks
from mlxprobe.agent.hooks.interventions import Interventions
from mlxprobe.agent.inspectors import ALL
from mlxprobe.agent.intercept.table import MODULES
from mlxprobe.agent.introspection import call_site, code_ownership
from mlxprobe.agent.lifecycle import exit_status
from mlxprobe.agent.lifecycle.child_exits import Children
from mlxprobe.agent.lifecycle.main_thread_sampler import Work
from mlxprobe.agent.lifecycle.sampler import NONE, Sampler, is_theirs
from mlxprobe.agent.patching.import_hooks import when_imported
from mlxprobe.agent.patching.interrupts import QUIETLY
from mlxprobe.agent.patching.patches import Patches
from mlxprobe.agent.patching.signatures import like
from mlxprobe.agent.recording.fact_sender import brief
from mlxprobe.agent.recording.recorder import Recorder
from mlxprobe.agent.sampling.dispatcher import Inspection
from mlxprobe.agent.wire import bound, ranks
from mlxprobe.agent.wire.channel import Channel, lifted
from mlxprobe.agent.wire.constants import (
    ASK_FILE,
    BOX_FILE,
    DEVICE_VARIABLE,
    STACK_SIGNAL,
    STACKS_FILE,
    STEPS_VARIABLE,
    WITH_VARIABLE,
)
from mlxprobe.agent.wire.ranks import whole
from mlxprobe.protocol.facts.processes import Forked, PoolWorker, ThreadEnded
from mlxprobe.system import self_process

WORDS, WORD_CHARACTERS = 12, 100  # of the command that are told
POOL_WORKER = "PoolWorker"  # in the names that `multiprocessing.Pool` gives its processes
ARCHIVES_WITHIN_S = 0.1
PAUSE_S = 0.001
END_WITHIN_S = 15.0


class Agent:
    """Recorder, hooks, inspectors and sampler of one process, with the variables that it was `given`."""

    def __init__(self, channel: Channel, folder: str, given: Mapping[str, str]) -> None:
        self.pid = bound.getpid()
        self._takes_crashes = not faulthandler.is_enabled()  # else the program's own stderr has them
        self.channel = channel
        self._folder = folder
        self._roots: dict[str, str] = {}
        self._mlx: dict[str, Any] = {}
        self._is_fork = self.has_left = False
        self._stacks = self._introduced()
        self._tell_roots(code_ownership.pythons())
        self.recorder = Recorder(channel)
        self.recorder.log.flush_at_leaving(self._left)
        inspection = Inspection(self.recorder, ALL)
        self.recorder.trained.began = inspection.began
        self._hooks, self._inspection = Hooks(self.recorder, inspection), inspection
        self._hooks.collectives.box_file, self._hooks.collectives.joined = self._file(BOX_FILE), self._joined
        self.recorder.look, self.recorder.looked = inspection.look, self._hooks.collectives.tell
        self.recorder.closing.append(self._hooks.collectives.tell)
        self.recorder.enough_steps = whole(given.get(STEPS_VARIABLE, ""))
        self.recorder.enough = lambda: stand_still(self.recorder, self.pid)
        self._device = given.get(DEVICE_VARIABLE, "")
        self._interventions = Interventions(given.get(WITH_VARIABLE, ""))
        self._interventions.observe(inspection.intercepts)
        for name in MODULES:
            when_imported(name, self.hook_core if name == "mlx.core" else self._imported)
        bound.after_fork(self._forked)
        channel.settles = self._settles
        threading.excepthook = told_of(threading.excepthook, self.recorder)
        self._children = Children(channel)
        self._sampler = self._sampled()
        self.recorder.at_end = self._finish

    def wait_for_ending(self) -> None:
        """Wait for threads that MLX has worked on, and that end at this moment."""
        exit_status.wait_for_ending(self._inspection.home.native_ids)

    def _file(self, name: str) -> str:
        """Return the name of a file of this process's own."""
        return os.path.join(self._folder, f"{name}.{self.pid}" if self.channel.tag else name)

    def _introduced(self) -> int:
        """Tell which process this is; return the descriptor that its stacks go to."""
        self.channel.send("process", **identity())
        if is_pool_worker():
            self.channel.tell(PoolWorker(), call_site.told(call_site.NOWHERE), event="seen")
        return keep_stacks(self._file(STACKS_FILE), self.channel, takes_crashes=self._takes_crashes)

    def _sampled(self) -> Sampler:
        made = Sampler(self.channel, self.recorder.log, self._file(ASK_FILE), self._stacks, self._answer)
        self.recorder.count = made.count
        recorder, phases = self.recorder, self.recorder.phases
        between = Work(lambda: phases.open or not recorder.gradients)
        phases.line_between = between.most
        made.looks.append(between.look)
        return made

    def _joined(self) -> None:
        """It has become a rank of several."""
        work = Work(lambda: self._hooks.collectives.began_s > 0)
        self._sampler.looks.append(work.look)
        self.recorder.closing.append(lambda: work.tell(self.recorder))

    def _answer(self) -> None:
        self._hooks.collectives.tell()
        self._children.look()

    def _forked(self) -> None:
        """Follow a fork, in the new child: after evaluations in its parent, its own first one may never end."""
        recorder = self.recorder
        if self.has_left:
            return
        with recorder.carefully():
            recorder.log.forked()
            self.channel.send("ready", pid=bound.getpid())
            recorder.forked = (call_site.calling(), recorder.evaluations) if recorder.evaluations else None
            if recorder.forked and on_gpu():
                site, evaluations = recorder.forked
                recorder.fact(Forked(evaluations=evaluations, pid=bound.getpid()), site)

    def _settles(self) -> None:
        """A fork trains, or evaluates: it gets what a process of its own has."""
        self.pid = bound.getpid()
        self._is_fork = True
        self._stacks = self._introduced()
        for folder, owner in self._roots.items():
            self.channel.send("root", folder=folder, whose=owner)
        self.channel.send("mlx", **self._mlx)
        self.channel.send("begin")
        self.channel.send("body")
        self._sampler = self._sampled()

    def _left(self, code: int | None) -> None:
        """The process leaves by `os._exit`, as every fork of multiprocessing's does, or becomes another program."""
        is_ours, recorder = bound.getpid() == self.pid, self.recorder
        with recorder.carefully():
            if is_ours and code is not None and (self._is_fork or is_worker()):
                recorder.finish()
                self.channel.send("end")
            elif is_ours:
                recorder.close_complete()
        with recorder.carefully():
            recorder.log.flush(patient=True)
        if is_ours:
            self.channel.send("left", code=code)

    def adopt(self, patches: Patches) -> None:
        """Take in what the program made before anybody looked."""
        self._hooks.adopt(patches)

    def leave(self) -> None:
        """End our thread, and close what is open; the wrappers are somebody else's to take away."""
        self.has_left = True
        self._sampler.stop()
        if not is_theirs():
            faulthandler.unregister(STACK_SIGNAL)
        if self._takes_crashes:
            faulthandler.disable()
        self._hooks.leave()
        self.channel.close()
        bound.close(self._stacks)

    def release(self) -> None:
        """End our thread, which would hold all of the agent; a signal still asks for stacks, should the end hang."""
        self._sampler.stop()
        self._hooks.leave()

    def _finish(self) -> None:
        self._sampler.finish()
        self.channel.send("held", bytes=self_process.most_held_bytes(), cpu_s=bound.process_time())
        self._children.finish()
        if self.recorder.loaded:
            await_archives()

    def hook_core(self, mx: Any) -> None:
        """Wrap `mlx.core`, which has just been imported, or whatever the program has put in its place.

        Raises:
            Exception: there is no such device as a run on another one was asked for: it would tell nothing of that.
        """
        if self._device:
            mx.set_default_device(mx.Device(getattr(mx, self._device)))
        with self.recorder.carefully():
            self._introduce_core(mx)
            with self.recorder.carefully():
                self._hooks.imported(mx)
            self._interventions.imported(mx)
            self._imported(mx)

    def _introduce_core(self, mx: Any) -> None:
        """Tell which MLX this is; a stub in its place lacks what is asked for, and is left as it is."""
        device = mx.default_device().type.name
        self._tell_roots(code_ownership.mlx(mx.__file__))
        self.recorder.inspected = self._inspection.finish  # not before: it would import MLX at the program's end
        self.recorder.phases.peak = getattr(mx, "get_peak_memory", self.recorder.phases.peak)
        self.recorder.active = getattr(mx, "get_active_memory", self.recorder.active)
        self._mlx = {
            "version": mx.__version__,
            "device": device,
            "python": "{}.{}.{}".format(*sys.version_info),
            "executable": sys.executable,
            "holds": _device_memory(mx) if device == "gpu" else 0,
        }
        self.channel.send("mlx", **self._mlx)

    def _tell_roots(self, found: Iterable[tuple[str, str]]) -> None:
        """Take in whose folders are whose, and tell the supervisor, which has only the names in the stacks."""
        for folder, owner in dict(found).items():
            call_site.add(folder, owner)
            self._roots[folder] = owner
            self.channel.send("root", folder=folder, whose=owner)

    def _imported(self, module: Any) -> None:
        """Wrap what is observed of a module of MLX's."""
        with self.recorder.carefully():
            self._inspection.imported(module.__name__, module)


def told_of(original: Callable[[Any], Any], recorder: Recorder) -> Callable[[Any], Any]:
    """Tell of threads that end by an exception: whoever waits for one waits for ever."""

    @like(original)
    def hook(args: Any) -> Any:
        with recorder.carefully():
            if args.exc_type is not SystemExit:
                name, error = getattr(args.thread, "name", ""), args.exc_type.__name__
                site, message = call_site.raising(args.exc_traceback), brief(args.exc_value, kind=False)
                recorder.fact(ThreadEnded(thread=name, type=error, message=message), site)
        return original(args)

    return hook


def keep_stacks(name: str, channel: Channel, *, takes_crashes: bool) -> int:
    """Let a signal write every thread's stack to a file, even while C code holds the interpreter's lock.

    A crash does so too, where it `takes_crashes` from whoever else would tell of them.
    """
    file = NONE
    with QUIETLY:  # no descriptor to be had
        file = lifted(bound.open_file(name, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600))
        if takes_crashes:
            faulthandler.enable(file=file)
        if not is_theirs():
            faulthandler.register(STACK_SIGNAL, file=file, all_threads=True)
    channel.send("ready", pid=bound.getpid())
    return file


def _device_memory(mx: Any) -> int:
    """Return the bytes of the GPU's memory, 0 where MLX does not tell."""
    with QUIETLY:  # what a release does not have, or calls otherwise
        found = mx.device_info() if hasattr(mx, "device_info") else mx.metal.device_info()
        return int(next(found[name] for name in ("memory_size", "total_memory") if name in found))
    return 0


def on_gpu() -> bool:
    """Check whether MLX's default device is a GPU."""
    import mlx.core as mx

    return bool(mx.default_device() == mx.Device(mx.gpu))


def stand_still(recorder: Recorder, pid: int) -> None:
    """Say that enough was seen, and wait at this very place for the end that the supervisor sends; not in a fork.

    An exception would run the program's own handlers, and `sys.exit` what it does at exit, as if its training were
    done; `os._exit` would lose what it has printed. So it gets what every scheduler sends, SIGTERM. Where nobody ends
    it in time the supervisor is gone, and the program goes on as if nobody had asked.
    """
    recorder.enough_steps = 0
    if bound.getpid() == pid:
        recorder.log.flush(patient=True)
        recorder.at_end()
        recorder.channel.send("enough", n=recorder.step)
        bound.sleep(END_WITHIN_S)


def await_archives(within_s: float = ARCHIVES_WITHIN_S) -> None:
    """Wait until no part of an archive is held any more, and `within_s` at most: the program may hold one."""
    archives = sys.modules.get("zipfile")
    if archives is None:
        return
    parts = [one for one in bound.get_objects() if isinstance(one, archives.ZipExtFile)]
    held = [bound.ref(one) for part in parts for one in (part, _file(part)) if one is not None]
    del parts
    until = bound.monotonic() + within_s
    while any(one() is not None for one in held) and bound.monotonic() < until:
        bound.sleep(PAUSE_S)  # which leaves Python to them


def _file(part: object) -> object:
    return getattr(getattr(part, "_fileobj", None), "_file", None)


def is_pool_worker() -> bool:
    """Check whether this is a worker of `multiprocessing.Pool`, which ends its workers by a signal."""
    with QUIETLY:  # another module in its place
        return POOL_WORKER in sys.modules["multiprocessing.process"].current_process().name
    return False


def is_worker() -> bool:
    """Check whether multiprocessing has started this process: then `os._exit` is its usual end."""
    with QUIETLY:
        return sys.modules["multiprocessing.process"].parent_process() is not None
    return False


def identity() -> dict[str, Any]:
    """Return which process this is."""
    rank, size = ranks.declared()
    words = [word[:WORD_CHARACTERS] for word in sys.orig_argv[:WORDS]]
    return {"parent": bound.getppid(), "pid": bound.getpid(), "command": words, "rank": rank, "size": size}
