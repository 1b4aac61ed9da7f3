"""The thread of ours that hears what the process beside us says."""

from __future__ import annotations

import contextlib
import queue
from collections.abc import Callable
from typing import Any

from mlxprobe.agent.wire import threads
from mlxprobe.agent.wire.json_lines import Line

Answer = dict[str, Any]


class Listener:
    """Hand on what is `said`, with its level, and say that it was heard; keep answers for who asked.

    Its thread ends when the line is closed; nobody waits for that.
    """

    def __init__(self, line: Line, said: Callable[[str, int], None]) -> None:
        self._line = line
        self.said = said
        self._answers: queue.SimpleQueue[Answer | None] = queue.SimpleQueue()
        self.thread = threads.Thread(self._run)

    def _run(self) -> None:
        while not self._line.closed:
            for message in self._line.hear():
                if "say" in message:
                    with contextlib.suppress(Exception):  # a handler of the program's
                        self.said(message["say"], message["level"])
                    self._line.send(heard=message["n"])
                else:
                    self._answers.put(message)
        self._answers.put(None)

    def answer(self, within_s: float) -> Answer | None:
        """Wait for an answer; None where none comes, or nobody is there any more."""
        try:
            return self._answers.get(timeout=within_s)
        except queue.Empty:
            return None
