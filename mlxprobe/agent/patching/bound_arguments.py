"""The arguments of calls, by the names of the wrapped function's own parameters: in any order, with any others beside.

A wrapper takes `*args, **kwargs` and hands them on as they are: a release may add a parameter, or move one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mlxprobe.agent.patching.signatures import parameters

Arguments = tuple[tuple[Any, ...], dict[str, Any]]


class Given:
    """Read some arguments of a function's calls; one that it does not know by name stands where the names have it."""

    def __init__(self, original: Callable[..., Any], *names: str) -> None:
        known = parameters(original)
        self._places = [(name, known.index(name) if name in known else k) for k, name in enumerate(names)]

    def __call__(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[Any]:
        """Return what a call was given under the names, in their order; None for what was left out."""
        return [
            kwargs[name] if name in kwargs else args[place] if place < len(args) else None
            for name, place in self._places
        ]

    def named(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
        """Return what a call was given, by name; nothing for what was left out."""
        told = zip(self._places, self(args, kwargs), strict=True)
        return {name: one for (name, place), one in told if name in kwargs or place < len(args)}

    def put(self, args: tuple[Any, ...], kwargs: dict[str, Any], *values: Any) -> Arguments:
        """Return the arguments of a call with other values under the first names."""
        changed, named = list(args), dict(kwargs)
        for (name, place), value in zip(self._places, values, strict=False):
            if name not in kwargs and place < len(args):
                changed[place] = value
            else:
                named[name] = value
        return tuple(changed), named

    def call(self, original: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], *values: Any) -> Any:
        """Call the function with other values under the first names."""
        others, named = self.put(args, kwargs, *values)
        return original(*others, **named)
