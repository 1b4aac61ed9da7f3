"""Make a call of the program's anew."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mlxprobe.agent.graph import lazy_graph
from mlxprobe.agent.introspection.side_effects import Effects, guarded_by
from mlxprobe.agent.introspection.trees import is_array
from mlxprobe.agent.patching import static
from mlxprobe.agent.patching.interrupts import let_through

WORDS = 200  # characters


class Refused(Exception):  # noqa: N818 - no error of ours
    """A call raises where it is made anew."""


def again(effects: Effects | None, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Repeat a call of the program's, and evaluate what it returns.

    Args:
        effects: what the call that the program made was read for; None in a compiled function, which is guarded.
        function: what is called.
        args: its arguments.
        kwargs: those by name.

    Raises:
        Refused: the call raises, goes where the program's own did not go, or does not end.
    """
    try:
        with guarded_by(effects):
            made = function(*args, **kwargs)
        lazy_graph.evaluate(outputs(made))
    except Exception as error:
        let_through(error)
        raise Refused(f"{type(error).__name__}: {error}"[:WORDS]) from error
    return made


def outputs(made: Any) -> list[Any]:
    """List the arrays of floating-point numbers in what a model returns."""
    import mlx.core as mx

    parts = made if is_array(made) or static.is_a(made, static.CONTAINERS) else static.attributes(made)
    return [one for one in lazy_graph.leaves(parts) if mx.issubdtype(one.dtype, mx.floating) and one.size]
