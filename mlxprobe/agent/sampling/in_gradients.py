"""What is observed within gradient calls, where they are looked at or traced."""

from __future__ import annotations

from mlxprobe.agent.intercept.intercepts import Observe
from mlxprobe.agent.intercept.states import GRADIENT, OURS, SAMPLED, TRACE


def in_gradients(function: str, method: str, *, after: bool = False, never: int = 0) -> tuple[Observe, Observe]:
    """Observe the calls of a function there: those of sampled steps, and those of other steps' traces."""
    sampled = Observe(function, method, after, needs=GRADIENT | SAMPLED, never=never | OURS)
    return sampled, sampled._replace(needs=GRADIENT | TRACE, never=sampled.never | SAMPLED)
