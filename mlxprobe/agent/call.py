"""What inspectors are told of one gradient call."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass
class Call:
    """One gradient call of the program: `parameters` are what the gradient is taken of, `data` the rest, by name."""

    model: Any
    parameters: Any
    data: dict[str, Any]
    loss: Any
    gradients: Any
    site: tuple[str, int] = ("", 0)
    scalings: int | None = None  # of the loss of a compiled function, which its trace told
