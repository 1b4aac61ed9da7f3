"""Ask an interpreter, in a process of its own, which MLX it has."""

from __future__ import annotations

import subprocess
import sys

import msgspec

from mlxprobe.platform import MAC
from mlxprobe.supervisor.child import AGENT
from mlxprobe.values.errors import MissingEnvironmentError, UsageError
from mlxprobe.values.observation import Environment

ANSWER_WITHIN_S = 60


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
        last = done.stderr.decode(errors="replace").strip().rpartition("\n")[2]
        raise MissingEnvironmentError(
            f"{python}: ended with {done.returncode} while importing mlx.core: {last}"
        ) from None
    return msgspec.structs.replace(found, device=device) if device else found


def usable(python: str = sys.executable, device: str = "") -> Environment:
    """Return the environment, or say what to install.

    Raises:
        MissingEnvironmentError: MLX does not import.
        UsageError: `device` does not exist there.
    """
    found = describe(python)
    if found.problem:
        advice = "pip install 'mlxprobe[cpu]', or 'mlxprobe[cuda]' for an NVIDIA GPU"
        if MAC:
            advice = "pip install mlx"
        raise MissingEnvironmentError(
            f"{python}: mlx.core does not import ({found.problem}); install a backend: {advice}"
        )
    return on_device(found, device)


def on_device(found: Environment, device: str) -> Environment:
    """Return the environment as it is on a device; on MLX's own where none is asked for.

    Raises:
        UsageError: `device` does not exist there.
    """
    if device and device not in found.devices:
        raise UsageError(f"--device: MLX {found.mlx} has no {device} here; it has {', '.join(found.devices)}")
    return msgspec.structs.replace(found, device=device) if device else found
