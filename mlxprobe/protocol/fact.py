"""The base class of facts: something that the agent saw, with typed fields.

A fact is declared once, in `protocol/facts/`, and used on both sides of the pipe. Its fields are annotated with one of
the types below; a field with a default may be left out. Creating one is cheap: a start of the agent declares many.
"""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

if TYPE_CHECKING:
    from typing_extensions import dataclass_transform
else:

    def dataclass_transform(**_: Any) -> Callable[[Any], Any]:
        """Return a decorator that does nothing: only type checkers need to know."""
        return lambda one: one


FACTS: dict[str, type[Fact]] = {}  # every declared type, by name
F = TypeVar("F", bound="Fact")


class MalformedFactError(Exception):
    """A fact that is unknown, or whose fields are not those of its type."""


@dataclass_transform(kw_only_default=True, frozen_default=True, eq_default=True)
class Fact:
    """Something that the agent saw. Subclasses declare fields by annotations; instances are immutable."""

    fields: ClassVar[dict[str, str]] = {}  # types by name, as they are written

    def __init_subclass__(cls) -> None:
        cls.fields = {name: kind for name, kind in cls.__annotations__.items() if not kind.startswith("ClassVar")}
        FACTS[cls.__name__] = cls

    def __init__(self, **given: Any) -> None:
        fields = self.fields
        if not given.keys() <= fields.keys() or any(
            name not in given and not hasattr(type(self), name) for name in fields
        ):
            raise TypeError(f"{type(self).__name__} has the fields {', '.join(fields) or 'none'}, not {[*given]}")
        vars(self).update(given)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"{type(self).__name__} cannot be changed")

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and repr(self) == repr(other)

    def __hash__(self) -> int:
        return hash((type(self), repr(self)))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in self.as_dict().items())})"

    def as_dict(self) -> dict[str, Any]:
        """Return all fields with their values."""
        return {name: getattr(self, name) for name in self.fields}

    def as_given(self) -> dict[str, Any]:
        """Return the fields that were given; the others are at their defaults."""
        return dict(vars(self))


def decoded(name: str, values: Mapping[str, Any]) -> Fact:
    """Return the fact of a type's name and the values of its fields, as JSON has them.

    Raises:
        MalformedFactError: no such type; a field that it does not have, or that is missing; a value of another type.
    """
    kind = FACTS.get(name) or _all().get(name)
    if kind is None:
        raise MalformedFactError(f"no fact is called {name!r}")
    try:
        return kind(**{one: _READ[kind.fields[one]](value) for one, value in values.items()})
    except (AttributeError, KeyError, OverflowError, TypeError, ValueError) as error:
        raise MalformedFactError(f"{name}: {type(error).__name__}: {error}") from None


@functools.cache
def _all() -> dict[str, type[Fact]]:
    """Return every type; a family is known once it is imported."""
    from mlxprobe.protocol.facts import FAMILIES

    for family in FAMILIES:
        importlib.import_module(f"mlxprobe.protocol.facts.{family}")
    return FACTS


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r:.60} is no text")
    return value


def _truth(value: object) -> bool:
    if not isinstance(value, bool):
        raise TypeError(f"{value!r:.60} is neither true nor false")
    return value


def _whole(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{value!r:.60} is no whole number")
    return value


def _number(value: object) -> float:
    """Read a number; JSON has none that is not finite, so those come as texts."""
    if isinstance(value, bool) or not (isinstance(value, (int, float)) or value in ("nan", "inf", "-inf")):
        raise TypeError(f"{value!r:.60} is no number")
    return float(value)


def _each(read: Callable[[object], Any]) -> Callable[[object], tuple[Any, ...]]:
    def each(value: object) -> tuple[Any, ...]:
        if not isinstance(value, (list, tuple)):
            raise TypeError(f"{value!r:.60} is no list")
        return tuple(map(read, value))

    return each


def _optional(read: Callable[[object], Any]) -> Callable[[object], Any]:
    return lambda value: None if value is None else read(value)


_READ: dict[str, Callable[[object], Any]] = {
    "str": _text,
    "bool": _truth,
    "int": _whole,
    "float": _number,
    "tuple[str, ...]": _each(_text),
    "tuple[int, ...]": _each(_whole),
    "tuple[float, ...]": _each(_number),
}
_READ |= {f"{kind} | None": _optional(read) for kind, read in [*_READ.items()]}
KINDS = frozenset(_READ)  # the types that fields may have
