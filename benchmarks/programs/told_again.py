"""Tell again what a training loop has told: `FILE STEPS RANKS PIPE RANK`; steps are numbered on, times are now's.

FILE holds the lines that the agent sent while the loop ran. Its first tells what a run tells once; from the first
steps on, they are sent over and over until so many steps are told.
"""

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

OF_STEPS = ("steps", "memory", "tick")


def main() -> None:
    """Send the lines in the name of this process."""
    file, pipe_name = sys.argv[1], sys.argv[4]
    steps, size, rank = int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[5]) - 1
    placed = {"rank": rank, "size": size} if size > 1 else {}
    events = [json.loads(line) for line in Path(file).read_bytes().splitlines()]
    once = [one for one in events if one["e"] not in (*OF_STEPS, "end")]
    often = [one for one in events if one["e"] in OF_STEPS]
    period = max(row[0] for one in often for row in one.get("rows", ()))
    pipe = os.open(pipe_name, os.O_WRONLY)
    for one in once:
        own = {"pid": os.getpid()} if one["e"] in ("process", "ready") else {}
        send(pipe, one | own | (placed if one["e"] == "process" else {}))
    for before in range(0, steps, period):
        for one in often:
            send(pipe, later(one, before))
    send(pipe, {"e": "end"})


def later(event: dict[str, Any], before: int) -> dict[str, Any]:
    """Return what is told of a stretch of steps, for one that has so many before it."""
    if event["e"] != "steps":
        return event
    rows = [[n + before, *rest] for n, *rest in event["rows"]]
    return event | {"rows": rows, "losses": [[n + before, *rest] for n, *rest in event["losses"]]}


def send(pipe: int, event: dict[str, Any]) -> None:
    """Write one line, as soon as there is room."""
    told = event | {"p": os.getpid(), "t": time.monotonic()}
    os.write(pipe, json.dumps(told, separators=(",", ":"), ensure_ascii=False).encode() + b"\n")


if __name__ == "__main__":
    main()
