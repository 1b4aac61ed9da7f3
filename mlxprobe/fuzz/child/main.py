"""Run a batch of cases, one after the other; what one has given is on the disk before the next one begins."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TextIO

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

from mlxprobe.fuzz.child.modes import measured


def main(words: list[str], moved: Callable[[int], object]) -> None:
    """Read the cases from the first file; write for each a line when it begins and one with its numbers."""
    jobs = json.loads(Path(words[0]).read_text(encoding="utf-8"))
    with Path(words[1]).open("a", encoding="utf-8") as file:
        file.write(json.dumps({"public": public()}) + "\n")
        for number, job in enumerate(jobs):
            moved(number)
            _tell(file, {"begins": job["id"]})
            seen = measured(job, lambda mode: _tell(file, {"mode": mode}))  # in which its process may end
            if any("error" in one for one in seen.values() if isinstance(one, dict)):
                go_on()
            _tell(file, {"id": job["id"], "seen": seen})


def go_on() -> None:
    """End this process where nothing can be computed any more: a GPU's error is every later case's error too."""
    try:
        mx.eval(mx.ones((2,)) + 1)
    except Exception as error:
        raise SystemExit(f"nothing can be computed any more: {error}") from None


def _tell(file: TextIO, row: dict[str, Any]) -> None:
    file.write(json.dumps(row) + "\n")
    file.flush()


def public() -> list[str]:
    """List the public functions of `mlx.core` and of its parts that compute."""
    parts: dict[str, Any] = {"": mx, **{f"{name}.": getattr(mx, name) for name in ("linalg", "fft", "fast", "random")}}
    return [
        prefix + name
        for prefix, part in parts.items()
        for name in sorted(vars(part))
        if not name.startswith("_")
        and type(getattr(part, name)).__name__ in ("nb_func", "builtin_function_or_method", "function")
    ] + trained()


def trained() -> list[str]:
    """List the public layers, functions and losses of `mlx.nn`, its initialisers, optimizers and schedules."""
    rooms = {"nn": (nn, nn.Module), "init": (nn.init, ()), "optimizers": (optim, optim.Optimizer)}
    found = [f"nn.{name}" for name in vars(nn.losses) if name[0] != "_" and _is_own(vars(nn.losses)[name])]
    for room, (part, base) in rooms.items():
        for name, one in vars(part).items():
            kept = issubclass(one, base) if isinstance(one, type) else _is_own(one)
            found += [f"{room}.{name}"] * (kept and name[0] != "_")
    return sorted({*found} - {"nn.Module", "optimizers.Optimizer"})


def _is_own(one: Any) -> bool:
    return callable(one) and str(getattr(one, "__module__", "mlx.nn")).startswith(("mlx.nn", "mlx.optimizers"))
