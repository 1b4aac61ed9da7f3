"""Arguments of a case's calls as values; see `case.Step`. Imports no MLX."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

Function = Callable[..., Any]
Convert = Mapping[str, Callable[[Any], Any]]


def value_of(argument: Any, arrays: Sequence[Any], results: Sequence[Any], convert: Convert) -> Any:
    """Return an argument's value; `convert` makes, by its key, the value of a dict other than arrays and results."""
    if isinstance(argument, list):
        return [value_of(one, arrays, results, convert) for one in argument]
    kind: str = next(iter(argument), "") if isinstance(argument, dict) else ""
    value: Any = argument[kind] if kind else None
    if kind == "array":
        return arrays[value]
    if kind == "result":
        return results[value]
    if kind == "pieces":
        return [one.reshape(-1) for one in results]
    return convert[kind](value) if kind in convert else argument


def flat(found: Any) -> list[Any]:
    """List the arrays in lists and tuples of any depth."""
    return [one for part in found for one in flat(part)] if isinstance(found, (list, tuple)) else [found]


def called(
    function: Callable[..., Any],
    step: Mapping[str, Any],
    arrays: Sequence[Any],
    results: Sequence[Any],
    convert: Convert,
) -> list[Any]:
    """Call a function with the arguments of a step, and list what it returns."""
    words = [value_of(one, arrays, results, convert) for one in step["arguments"]]
    named = {name: value_of(one, arrays, results, convert) for name, one in step["keywords"].items()}
    return flat(function(*words, **named))
