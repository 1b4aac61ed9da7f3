"""Set up channel, hooks and sampler; then run the program as it would run without them."""

from __future__ import annotations

import contextlib
import faulthandler
import importlib
import json
import os
import sys
import traceback  # here: an import after an unhandled Ctrl-C would change how the interpreter ends
from collections.abc import Iterable
from typing import Any

from mlxprobe.agent import results, roots, sites, tracing
from mlxprobe.agent.channel import Channel, lifted, open_channel
from mlxprobe.agent.children import Children
from mlxprobe.agent.enough import stand_still
from mlxprobe.agent.hooks import Hooks
from mlxprobe.agent.imports import when_imported
from mlxprobe.agent.inspection import Inspection
from mlxprobe.agent.inspectors import ALL
from mlxprobe.agent.interventions import Interventions
from mlxprobe.agent.recorder import Recorder
from mlxprobe.agent.sampler import Sampler
from mlxprobe.agent.shared import (
    ASK_FILE,
    DEVICE_VARIABLE,
    FOLDER_VARIABLE,
    STACK_SIGNAL,
    STACKS_FILE,
    STEPS_VARIABLE,
    SUPERVISOR_VARIABLE,
    WITH_VARIABLE,
)

MESSAGE_CHARACTERS = 600
LAYERS = (
    *(f"mlx.nn.layers.{name}" for name in ("embedding", "quantized", "convolution", "normalization")),
    *(f"mlx.nn.layers.{name}" for name in ("recurrent", "transformer")),
    "mlx.nn.losses",
    "mlx.optimizers.schedulers",
)


def main(arguments: list[str]) -> int | str | None:
    """Run what the arguments name and return its exit code, or the words it leaves with (see `sys.exit`)."""
    if arguments[0] == "describe":
        print(json.dumps(describe()))
        return 0
    channel = open_channel()
    if channel is None:
        print("mlxprobe: the agent is started by the supervisor, not by hand", file=sys.stderr)
        return 2
    tracing.allow(os.environ.pop(SUPERVISOR_VARIABLE, ""))
    agent = Agent(channel, os.environ.pop(FOLDER_VARIABLE))
    when_imported("mlx.core", agent.hook_core)
    channel.send("begin")
    code = _run(arguments, agent.recorder, channel)
    with contextlib.suppress(Exception):  # a program may have closed or replaced its streams
        sys.stdout.flush()
    return code


def describe() -> dict[str, Any]:
    """Tell of the interpreter and the MLX in it; an MLX that does not import is told as `problem`."""
    import platform

    found: dict[str, Any] = {
        "python": platform.python_version(),
        "executable": sys.executable,
        "platform": platform.platform(),
    }
    try:
        import mlx.core as mx

        device = mx.default_device()
        known = {"cpu": mx.cpu, "gpu": mx.gpu}
        available = getattr(mx, "is_available", lambda kind: kind == mx.cpu or mx.metal.is_available())
        found["mlx"] = mx.__version__
        found["device"] = device.type.name
        found["devices"] = [name for name, kind in known.items() if available(kind)]
        if hasattr(mx, "device_info"):
            found["device_name"] = str(mx.device_info().get("device_name", ""))
        mx.eval(mx.ones((2,)) + 1)
    except Exception as error:  # whatever an incomplete installation raises is the answer
        found["problem"] = f"{type(error).__name__}: {error}"
    return found


def _keep_stacks(folder: str, channel: Channel) -> int:
    """Let a signal write every thread's stack to a file, even while C code holds the interpreter's lock."""
    file = lifted(os.open(os.path.join(folder, STACKS_FILE), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600))
    faulthandler.enable(file=file)
    faulthandler.register(STACK_SIGNAL, file=file, all_threads=True)
    channel.send("ready", pid=os.getpid())
    return file


class Agent:
    """Recorder, hooks, inspectors and sampler of one process."""

    def __init__(self, channel: Channel, folder: str) -> None:
        self.pid = os.getpid()
        self.channel = channel
        stacks = _keep_stacks(folder, channel)
        self._tell_roots(roots.pythons())
        self.recorder = Recorder(channel)
        self.recorder.log.flush_at_leaving()
        inspection = Inspection(self.recorder, ALL)
        self.recorder.look, self.recorder.inspected = inspection.look, inspection.finish
        self.recorder.began = inspection.began
        self._hooks, self._inspection = Hooks(self.recorder, inspection), inspection
        self.recorder.enough_steps = int(os.environ.pop(STEPS_VARIABLE, "0"))
        self.recorder.enough = lambda: stand_still(self.recorder, self.pid)
        self._device = os.environ.pop(DEVICE_VARIABLE, "")
        self._interventions = Interventions(os.environ.pop(WITH_VARIABLE, ""))
        for name in (*self._hooks.by_module, *LAYERS):
            if name != "mlx.core":
                when_imported(name, self._imported)
        os.register_at_fork(after_in_child=lambda: _forked(self.recorder, channel))
        self._sampler = Sampler(channel, self.recorder.log, os.path.join(folder, ASK_FILE), stacks)
        self._children = Children(channel)
        self.recorder.count, self.recorder.at_end = self._sampler.count, self._finish

    def _finish(self) -> None:
        self._sampler.finish()
        self._children.finish()

    def hook_core(self, mx: Any) -> None:
        """Wrap `mlx.core`, which has just been imported."""
        if self._device:
            mx.set_default_device(mx.Device(getattr(mx, self._device)))
        self._tell_roots(roots.mlx(mx.__file__))
        self.recorder.phases.peak = getattr(mx, "get_peak_memory", self.recorder.phases.peak)
        self.recorder.active = getattr(mx, "get_active_memory", self.recorder.active)
        device = mx.default_device().type.name
        holds = _device_memory(mx) if device == "gpu" else 0
        python = "{}.{}.{}".format(*sys.version_info)
        self.channel.send(
            "mlx", version=mx.__version__, device=device, python=python, executable=sys.executable, holds=holds
        )
        self.recorder.losses.install(mx)
        self._imported(mx)

    def _tell_roots(self, found: Iterable[tuple[str, str]]) -> None:
        """Take in whose folders are whose, and tell the supervisor, which has only the names in the stacks."""
        for folder, owner in dict(found).items():
            sites.add(folder, owner)
            self.channel.send("root", folder=folder, whose=owner)

    def _imported(self, module: Any) -> None:
        """Wrap a module of MLX's; each wrapper takes those before it for MLX itself, and interventions for the user."""
        name = module.__name__
        self._inspection.imported(name, module)
        if name in self._hooks.by_module:
            self._hooks.by_module[name](module)
        self._interventions.imported(name, module)


def _device_memory(mx: Any) -> int:
    """Return the bytes of the GPU's memory, 0 where MLX does not tell."""
    try:
        found = mx.device_info() if hasattr(mx, "device_info") else mx.metal.device_info()
        return int(next(found[name] for name in ("memory_size", "total_memory") if name in found))
    except Exception:  # what a release does not have, or calls otherwise
        return 0


def _forked(recorder: Recorder, channel: Channel) -> None:
    """Tell of a fork, from the new child; with what had been evaluated before, it may never evaluate again."""
    recorder.log.forked()
    channel.send("ready")
    recorder.fact("fork", evaluations=recorder.evaluations, pid=os.getpid())


def _run(arguments: list[str], recorder: Recorder, channel: Channel) -> int | str | None:
    kind, *rest = arguments
    try:
        if kind == "scenario":
            _run_variant(rest[0], rest[1], recorder, channel)
        else:
            channel.send("body")
            _run_users(kind, rest)
            recorder.finish()
    except SystemExit as exit_:
        recorder.finish()
        channel.send("end")
        return exit_.code
    except BaseException as error:
        recorder.finish()
        sys.stderr.write(send_exception(error, channel))
        return 1
    channel.send("end")
    return 0


def _run_users(kind: str, words: list[str]) -> None:
    """Run a module (`python -m`) or a script, with the arguments and the path that it would have without us."""
    import runpy

    sys.argv = words
    if kind == "module":
        sys.path.insert(0, os.getcwd())
        runpy.run_module(words[0], run_name="__main__", alter_sys=True)
    else:
        sys.path.insert(0, os.path.dirname(os.path.abspath(words[0])))
        runpy.run_path(words[0], run_name="__main__")


def _run_variant(file: str, name: str, recorder: Recorder, channel: Channel) -> None:
    """Import a scenario's file under its own name (spawned workers can then import it too) and call one body."""
    folder, base = os.path.split(os.path.abspath(file))
    sys.path.insert(0, folder)
    module = importlib.import_module(os.path.splitext(base)[0])
    probe = module.probe
    channel.send("body")
    result = probe.bodies[name]()
    recorder.finish()
    channel.send("measuring")
    if result is None:
        return
    for path, array in results.arrays_of(result).items():
        channel.send("result", path=path, values=results.describe(array))
    if probe.scorer is not None:
        channel.send("score", value=str(float(probe.scorer(result))))


def send_exception(error: BaseException, channel: Channel) -> str:
    """Tell of the exception that ended the program, and return its traceback."""
    text = "".join(traceback.format_exception(type(error), error, error.__traceback__))
    channel.send(
        "raised",
        type=type(error).__name__,
        message=str(error)[:MESSAGE_CHARACTERS],
        **sites.told(sites.raising(error.__traceback__)),
        traceback=text[-1500:],
    )
    return text
