"""How far outputs differ from row to row, and from what they were."""

from __future__ import annotations

from typing import Any

from mlxprobe.agent.graph import lazy_graph


def deviation(made: Any) -> Any:
    """Return the standard deviations over the rows."""
    import mlx.core as mx

    return mx.std(made.astype(mx.float32), axis=0)


def alike(some: list[Any], others: list[Any]) -> bool:
    """Tell whether outputs are the same, to the bit."""
    return len(some) == len(others) and all(
        one.shape == other.shape and lazy_graph.largest(one - other) == 0
        for one, other in zip(some, others, strict=True)
    )


def per_row(made: Any) -> list[float]:
    """Return the largest absolute value of each row."""
    import mlx.core as mx

    return lazy_graph.numbers(mx.max(mx.abs(made.reshape(made.shape[0], -1)), axis=1))


def share(made: list[Any], before: list[Any], deviations: list[float], part: float) -> float:
    """Return how many of the rows have moved by a part of what rows differ by, of the outputs with most."""
    each = [per_row(new - old) for new, old in zip(made, before, strict=True)]
    pairs = [pair for pair in zip(each, deviations, strict=True) if pair[1]]
    return max((sum(by > part * deviation for by in moved) / len(moved) for moved, deviation in pairs), default=0.0)
