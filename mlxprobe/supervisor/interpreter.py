"""Interpreters: which MLX one has, asked in a process of its own; and those that a watched command has started."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from mlxprobe.agent.wire.constants import PYTHONS_FILE
from mlxprobe.schema.errors import DiedImportingError, MissingEnvironmentError, UsageError
from mlxprobe.schema.metrics import signal_name
from mlxprobe.schema.observation import Environment
from mlxprobe.supervisor.child import AGENT
from mlxprobe.system import MAC

ANSWER_WITHIN_S = 60
OLDEST = (3, 10)  # that the agent goes into
VERSION = "import sys; print('.'.join(map(str, sys.version_info[:3])))"  # every Python can read it
MISSING = """import sys
name, places = "", None
for part in [*sys.argv[1].split("."), "__main__"]:
    name += "." * bool(name) + part
    found = (one.find_spec(name, places) for one in sys.meta_path if hasattr(one, "find_spec"))
    spec = next((one for one in found if one is not None), None)
    if spec is None:
        print("missing", name)
        break
    if (places := spec.submodule_search_locations) is None:
        break
"""


class Python(NamedTuple):
    """A Python that a watched command has started, as it records at its start (see `agent/bootstrap`)."""

    pid: int
    version: str
    executable: str

    @property
    def is_too_old(self) -> bool:
        """Whether the agent stays out of it."""
        return tuple(int(part) for part in self.version.split(".")) < OLDEST

    def __str__(self) -> str:
        return f"{self.executable} (Python {self.version})"


def pythons(folder: Path) -> list[Python]:
    """Return the Pythons that a command has started, in the order of their starts."""
    try:
        text = (folder / PYTHONS_FILE).read_text("utf-8", "surrogateescape")
    except OSError:
        return []
    lines = (line.split(" ", 2) for line in text.splitlines())
    return [Python(int(words[0]), *words[1:]) for words in lines if len(words) == 3]


def describe(python: str = sys.executable, device: str = "") -> Environment:
    """Return what the interpreter says of itself and its MLX, which may be unusable (see `problem`).

    Raises:
        MissingEnvironmentError: the interpreter does not run, or does not answer in time.
    """
    try:
        done = subprocess.run(
            [python, str(AGENT), "describe"], capture_output=True, timeout=ANSWER_WITHIN_S, check=False
        )
        found = msgspec.json.decode(done.stdout, type=Environment)
    except subprocess.TimeoutExpired:
        raise MissingEnvironmentError(f"{python}: importing mlx.core took more than {ANSWER_WITHIN_S} s") from None
    except OSError as error:
        raise MissingEnvironmentError(f"{python}: cannot be run: {error.strerror}") from None
    except (msgspec.DecodeError, msgspec.ValidationError):
        if (asked := Python(0, version(python) or "99", python)).is_too_old:
            raise MissingEnvironmentError(too_old(asked)) from None
        last = done.stderr.decode(errors="replace").strip().rpartition("\n")[2]
        died = done.returncode < 0 and -done.returncode != signal.SIGKILL  # that is the system's, out of memory
        raised = DiedImportingError if died else MissingEnvironmentError
        told = f": {last}" if last else ", and said nothing"
        code = done.returncode
        ending = f"ended by {signal_name(-code)}" if code < 0 else f"ended with {code}"
        raise raised(f"{python}: {ending} while importing mlx.core{told}") from None
    return msgspec.structs.replace(found, device=device) if device else found


def usable(python: str = sys.executable, device: str = "") -> Environment:
    """Return the environment, or say what to install.

    Raises:
        MissingEnvironmentError: MLX does not import.
        UsageError: `device` does not exist there.
    """
    found = describe(python)
    if found.problem:
        raise MissingEnvironmentError(without_mlx(found))
    return on_device(found, device)


def without_mlx(found: Environment) -> str:
    """Say of an interpreter that its MLX does not import, and what to install."""
    advice = "pip install mlx" if MAC else "pip install 'mlx[cpu]', or 'mlx[cuda13]' for an NVIDIA GPU"
    return f"{found.executable} (Python {found.python}) cannot import mlx.core ({found.problem}); install it: {advice}"


def too_old(python: Python) -> str:
    """Say that an interpreter cannot be watched."""
    return f"{python} is too old; Python {'.'.join(map(str, OLDEST))} or later is needed"


def version(python: str) -> str:
    """Return the version of an interpreter of any age; empty where it is no Python."""
    answer = _answer(python, VERSION)
    return answer if re.fullmatch(r"\d+\.\d+\.\d+", answer) else ""


def missing(python: str, module: str, folder: str = "", environment: Mapping[str, str] | None = None) -> str:
    """Return the module that `python -m MODULE` would not find, without importing any; empty where it finds it.

    Args:
        python: the interpreter.
        module: what is to be run.
        folder: where; here by default.
        environment: variables to add.
    """
    answer = _answer(python, MISSING, module, cwd=folder or None, env={**os.environ, **(environment or {})})
    return answer.removeprefix("missing ") if answer.startswith("missing ") else ""


def _answer(python: str, *program: str, **how: Any) -> str:
    """Return the last line that a program prints; empty where it fails or has no answer in time."""
    try:
        done: subprocess.CompletedProcess[bytes] = subprocess.run(
            [python, "-c", *program],
            capture_output=True,
            timeout=ANSWER_WITHIN_S,
            check=False,
            stdin=subprocess.DEVNULL,
            **how,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return "" if done.returncode else done.stdout.decode(errors="replace").strip().rpartition("\n")[2]


def on_device(found: Environment, device: str) -> Environment:
    """Return the environment as it is on a device; on MLX's own where none is asked for.

    Raises:
        UsageError: `device` does not exist there.
    """
    if device and device not in found.devices:
        raise UsageError(f"--device: MLX {found.mlx} has no {device} here; it has {', '.join(found.devices)}")
    return msgspec.structs.replace(found, device=device) if device else found
