"""What inspectors ask for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

from mlxprobe.agent.recording.recorder import Recorder


class Wishes:
    """Whether the next step is to be looked at, whatever it costs: it may be wished at any time, also between looks."""

    def __init__(self, recorder: Recorder) -> None:
        self.recorder = recorder
        self._wanted = False
        self.picked: list[tuple[Any, Any]] | None = None  # by targets, from what, while a loss is called anew by us
        self.heard: list[Any] = []  # calls of a model within the last gradient call, at a few steps
        self.often: Counter[int] = Counter()  # how many calls of each there were, by the model's id
        self.often_at: tuple[str, int] | None = None  # where the last of many were
        self.attends = False  # whether the place where the mask of an attention is decided is asked for
        self.doubted = False  # whether what is or will be told may prove wrong: landmarks are looked at anyhow then
        self.asking: Callable[[], bool] | None = None  # before the next step: whether it is to be sampled
        self.shuffled = 0  # rows that came again at another place of a batch
        self.alone = 0  # calls of a trained model with one row, outside of gradient calls

    def ask(self, question: Callable[[], bool]) -> None:
        """Have a question answered before the next step: whether that is to be sampled. The last one counts."""
        self.asking = question
        self.recorder.wake()

    def answered(self) -> bool:
        """Answer the question that waits, if any, once."""
        question, self.asking = self.asking, None
        return question is not None and question()

    @property
    def wanted(self) -> bool:
        """Whether an inspector wants it."""
        return self._wanted

    @wanted.setter
    def wanted(self, value: bool) -> None:
        self._wanted = value
        if value:
            self.recorder.wake()
