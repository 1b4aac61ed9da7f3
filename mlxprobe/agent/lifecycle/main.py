"""Set up channel, hooks and sampler; then run the program as it would run without them."""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import sys
import traceback  # here: an import after an unhandled Ctrl-C would change how the interpreter ends
from typing import Any

from mlxprobe.agent.introspection import call_site
from mlxprobe.agent.lifecycle import result_summary
from mlxprobe.agent.lifecycle.agent import Agent, keep_stacks
from mlxprobe.agent.recording.recorder import Recorder
from mlxprobe.agent.wire import bound
from mlxprobe.agent.wire.channel import Channel, open_channel
from mlxprobe.agent.wire.constants import (
    DEVICE_VARIABLE,
    FOLDER_VARIABLE,
    OWN_VARIABLES,
    STACKS_FILE,
    SUPERVISOR_VARIABLE,
)
from mlxprobe.system import self_process

MESSAGE_CHARACTERS = 600


def main(arguments: list[str]) -> int | str | None:
    """Run what the arguments name and return its exit code, or the words it leaves with (see `sys.exit`)."""
    if arguments[0] == "describe":
        print(json.dumps(describe()))
        return 0
    kind, *rest = arguments
    if kind == "launch":
        from mlxprobe.agent.lifecycle import launch  # what it needs, no other start does

        return launch.main(rest[0], int(rest[1]), rest[2:])
    channel = open_channel(bound.getpid() if kind == "rank" else 0)
    if channel is None:
        print("mlxprobe: the agent is started by the supervisor, not by hand", file=sys.stderr)
        return 2
    self_process.allow_tracing(os.environ.pop(SUPERVISOR_VARIABLE, ""))
    folder = os.environ.pop(FOLDER_VARIABLE)
    if arguments[0] == "bare":
        return run(arguments[1:], channel, folder)
    agent = Agent(channel, folder, {name: os.environ.pop(name) for name in OWN_VARIABLES if name in os.environ})
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
        if found["device"] == "gpu":
            found["gpus"] = mx.device_count(mx.gpu) if hasattr(mx, "device_count") else 1
        if hasattr(mx, "device_info"):
            told = mx.device_info()
            found["device_name"] = str(told.get("device_name", ""))
            found["device_limits"] = {name: value for name, value in told.items() if isinstance(value, int)}
        mx.eval(mx.ones((2,)) + 1)
    except Exception as error:  # whatever an incomplete installation raises is the answer
        found["problem"] = f"{type(error).__name__}: {error}"
    return found


def _run(arguments: list[str], recorder: Recorder, channel: Channel) -> int | str | None:
    kind, *rest = arguments
    try:
        if kind in ("scenario", "rank"):
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
    for path, array in result_summary.arrays_of(result).items():
        channel.send("result", path=path, values=result_summary.describe(array))
    if probe.scorer is not None:
        channel.send("score", value=str(float(probe.scorer(result))))


def send_exception(error: BaseException, channel: Channel) -> str:
    """Tell of the exception that ended the program, and return its traceback."""
    text = "".join(traceback.format_exception(type(error), error, error.__traceback__))
    try:
        place = call_site.told(call_site.raising(error.__traceback__))
    except Exception:  # of what the program has replaced
        place = call_site.told(call_site.NOWHERE)
    try:
        message = str(error)[:MESSAGE_CHARACTERS]  # the program's own: it ends with it
    except Exception:
        message = "(it cannot be printed)"
    channel.send("raised", type=type(error).__name__, message=message, **place, traceback=text[-1500:])
    return text


def run(words: list[str], channel: Channel, folder: str) -> int:
    """Call `main(words, moved)` of the module that the first word names; `moved(n)` tells that it goes on."""
    channel.send("process", parent=bound.getppid(), pid=bound.getpid(), command=sys.orig_argv[:3], rank=-1, size=0)
    keep_stacks(os.path.join(folder, STACKS_FILE), channel, takes_crashes=True)
    channel.send("begin")
    module = importlib.import_module(words[0])
    if device := os.environ.pop(DEVICE_VARIABLE, ""):
        mx = sys.modules["mlx.core"]
        mx.set_default_device(mx.Device(getattr(mx, device)))
    channel.send("body")
    module.main(words[1:], lambda number: channel.send("tick", n=number))
    channel.send("end")
    return 0
