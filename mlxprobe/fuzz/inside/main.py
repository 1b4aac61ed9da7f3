"""Run a batch of cases, one after the other; what one has given is on the disk before the next one begins."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import mlx.core as mx

from mlxprobe.fuzz.inside.modes import measured


def main(words: list[str], moved: Callable[[int], object]) -> None:
    """Read the cases from the first file; write for each a line when it begins and one with its numbers."""
    jobs = json.loads(Path(words[0]).read_text(encoding="utf-8"))
    with Path(words[1]).open("a", encoding="utf-8") as file:
        file.write(json.dumps({"public": public()}) + "\n")
        for number, job in enumerate(jobs):
            moved(number)
            file.write(json.dumps({"begins": job["id"]}) + "\n")
            file.flush()
            file.write(json.dumps({"id": job["id"], "seen": measured(job)}) + "\n")
            file.flush()


def public() -> list[str]:
    """List the public functions of `mlx.core` and of its parts that compute."""
    parts = {"": mx, **{f"{name}.": getattr(mx, name) for name in ("linalg", "fft", "fast", "random")}}
    return [
        prefix + name
        for prefix, part in parts.items()
        for name in sorted(vars(part))
        if not name.startswith("_")
        and type(getattr(part, name)).__name__ in ("nb_func", "builtin_function_or_method", "function")
    ]
