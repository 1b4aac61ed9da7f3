"""Whether the rows of a batch look at one another on purpose."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mlxprobe.agent.patching.bound_arguments import Given
from mlxprobe.agent.patching.signatures import like
from mlxprobe.agent.patching.temporary_patches import Loans


def attends(call: Callable[[], Any], rows: int) -> bool:
    """Tell whether, in a call, a softmax along the last axis weighs as many rows for each of as many."""
    import mlx.core as mx

    found, square = [False], (rows, rows)

    def of_scores(a: Any, axis: Any) -> bool:
        return bool(a.shape[-2:] == square and axis in (-1, a.ndim - 1))

    def of_queries(q: Any, k: Any) -> bool:
        return (q.shape[-2], k.shape[-2]) == square

    def heard(original: Callable[..., Any], is_square: Callable[..., bool], *names: str) -> Callable[..., Any]:
        given = Given(original, *names)

        @like(original)
        def hearing(*args: Any, **kwargs: Any) -> Any:
            found[0] = found[0] or is_square(*given(args, kwargs))
            return original(*args, **kwargs)

        return hearing

    loans = Loans()
    loans.replace(mx, "softmax", lambda original: heard(original, of_scores, "a", "axis"))
    loans.replace(mx.fast, "scaled_dot_product_attention", lambda original: heard(original, of_queries, "q", "k"))
    try:
        call()
    finally:
        loans.give_back()
    return found[0]
