"""Wrappers of functions that do not bind."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from operator import attrgetter
from typing import Any


class Unbound:
    """A wrapper of what no class makes a method of: MLX's own functions, and those of C.

    `act = nn.relu` in the body of a class is called without its object, and has to stay so.
    """

    __call__ = property(attrgetter("_made"))  # the function itself, with no call of ours in between

    def __init__(self, made: Callable[..., Any], original: Callable[..., Any]) -> None:
        self._made, self._original = made, original
        self.__dict__.update({name: one for name, one in vars(made).items() if name != "__wrapped__"})
        self.__wrapped__ = made

    def __getattr__(self, name: str) -> Any:
        return getattr(self._original, name)

    def __repr__(self) -> str:
        return repr(self._original)

    def __reduce_ex__(self, protocol: Any) -> Any:
        original = self._original
        while type(original) is Unbound:  # it is wrapped twice
            original = original._original
        reduced = original.__reduce_ex__(protocol)
        if not isinstance(reduced, str):
            return reduced
        holders = (name for name, module in [*sys.modules.items()] if vars(module).get(reduced) is self)
        return getattr, (_Module(next(holders, self.__module__)), reduced)


class _Module:
    """A module, as it is pickled."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __reduce__(self) -> Any:
        return importlib.import_module, (self._name,)
