"""What inspectors are told of one gradient call."""

from __future__ import annotations

import functools
from functools import partial
from typing import Any

from mlxprobe.agent.introspection import isolated_import
from mlxprobe.agent.patching import static


class Call:
    """One gradient call of the program: `parameters` are what the gradient is taken of, `data` the rest, by name."""

    def __init__(
        self,
        *,
        model: Any,
        parameters: Any,
        data: dict[str, Any],
        loss: Any,
        gradients: Any,
        site: tuple[str, int],
        scalings: int | None = None,
        function: Any = None,
        given: tuple[Any, Any] | None = None,
    ) -> None:
        self.model = model
        self.parameters = parameters
        self.data = data
        self.loss = loss
        self.gradients = gradients
        self.site = site
        self.function = function  # that the gradient is of
        self.given = given  # what it was called with
        self.made_at = ("", 0)  # where the function was made
        self.left: list[tuple[Any, Any]] = []  # a few paths and arrays of the model, right after a call in a trace
        self.scalings = scalings  # of the loss of a compiled function, which its trace told

    @property
    def code(self) -> Any:
        """What the gradient is of, however often that is made anew: a function's code, or itself."""
        function = self.function.func if static.is_a(self.function, partial) else self.function
        return static.code(function) or function

    def loses(self, name: str) -> tuple[str, int]:
        """Return the line of the user's that makes its loss, where the argument of a name is left out."""
        with isolated_import.importable():
            from mlxprobe.agent.introspection import blame

        return blame.loses(self.function, name.partition(".")[0])


def loss_in(value: Any) -> Any:
    """Return the loss among what a gradient call or a compiled step returned; None where no number is an array."""
    first = value[0] if type(value) in (tuple, list) and value else value
    return first if static.is_array(first) and first.size == 1 and _is_float(first.dtype) else None


@functools.cache
def _is_float(dtype: Any) -> bool:
    return "float" in str(dtype)
