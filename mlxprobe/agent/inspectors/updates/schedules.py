"""Schedules that the program builds."""

from __future__ import annotations

KINDS = {  # schedules, with their parameters
    "linear_schedule": ("init", "end", "steps"),
    "cosine_decay": ("init", "decay_steps", "end"),
    "exponential_decay": ("init", "decay_rate"),
    "step_decay": ("init", "decay_rate", "step_size"),
}


class Schedule:
    """One schedule that the program built: its words, how many of its own steps it takes, and who has it."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.span = self.warmup = 0
        self.ends: tuple[float, ...] = ()  # the rates that it starts or ends at
        self.site = ("", 0)
        self.calls = 0
        self.given = False
