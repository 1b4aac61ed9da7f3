"""Recognise updates that no optimizer of MLX makes: parameters that change from one gradient call to the next."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from mlxprobe.agent.introspection.trees import is_array, weak
from mlxprobe.agent.patching import static
from mlxprobe.agent.patching.static import at
from mlxprobe.agent.wire.bound import ref

FOLLOWED, FEW = 16, 2  # arrays of each tree, in the first calls; later, of those that have moved if any have
FIRST = 4  # calls
Path = tuple[Any, ...]
Reference = Callable[[], Any]


class Followed:
    """The arrays that a gradient is taken of, from call to call; none is kept alive.

    A function that fills a module with its arguments leaves copies of them there, which the next call may be given.
    """

    def __init__(self, model: Any = None) -> None:
        self.model = weak(model)
        self.is_sure = self._is_models = model is not None  # parameters: others may be another batch at each call
        self.by_optimizer = False  # of MLX: its updates are known by themselves
        self.changes = False  # values were seen to
        self.along: Any = None  # what is known of its moves along its gradients
        self.updates = 0
        self.calls = self._made = 0  # gradient calls; updates by optimizers of MLX
        self._paths: list[Path] = []
        self._few: list[Path] = []  # that are enough from the next call on
        self._given: list[Reference] = []
        self._left: list[Reference] = []  # by the last call, in the module that it filled
        self._home: Reference = weak(None)

    @property
    def is_known(self) -> bool:
        """Whether these are parameters that are updated."""
        return self.is_sure and (self.changes or self.updates > 0)

    def follow(self, paths: list[Path]) -> None:
        """Take these arrays of the trees to come."""
        if paths != self._paths:
            self._paths, self._few, self._given, self._left = paths[:FOLLOWED], [], [], []

    def begins(self, tree: Any, made: int) -> None:
        """A gradient call is given `tree`, after `made` updates by optimizers of MLX."""
        if (self._given or self._left) and self._is_other(tree):
            if made == self._made:
                self.updates += 1
            else:
                self.by_optimizer = True
        self._made = made

    def ends(self, tree: Any, home: Any = None) -> None:
        """The call has returned; its function has filled the module `home`."""
        self.calls += 1
        self._paths, self._few = self._few or self._paths or paths(tree)[:FOLLOWED], []
        self._given = [] if self._is_models else [ref(at(tree, path)) for path in self._paths]
        self._left = [] if home is None else [weak(at(home, path[1:])) for path in self._paths]
        self._home = self.model if self._is_models else weak(home)

    def finish(self, made: int) -> None:
        """Count what came after the last call: nothing shows what became of arguments, which are taken to go on.

        What moved after `made` updates by optimizers of MLX, and never before, was theirs.
        """
        if made != self._made and not self.updates:
            self.by_optimizer = True
            return
        home = self._home()
        if self._left and home is not None:
            rows = zip(self._paths, self._left, self._given or self._left, strict=True)
            held = [(at(home, path[1:]), left(), given()) for path, left, given in rows]
            self.updates += any(one is not left and one is not given for one, left, given in held)
        elif home is None:
            self.updates += self.is_sure and self.updates > 0

    def _is_other(self, tree: Any) -> bool:
        now = [at(tree, path) for path in self._paths]
        for one in now:
            if one is None:  # a tree of another form begins, after the last one's last update
                self.follow([])
                return self.updates > 0
        before = self._left if self._is_models or self._is_filled(now) else self._given
        rows = zip(self._paths, before, self._given or before, now, strict=True)
        moved = [path for path, known, given, one in rows if one is not known() and one is not given()]
        if self.calls >= FIRST and len(now) > FEW:
            self._few = moved[:FEW] or self._paths[:: len(now) // FEW][:FEW]
        return bool(moved)

    def _is_filled(self, now: list[Any]) -> bool:
        """Tell whether arguments are a module's own, which the last call has filled."""
        home = self._home() if self._left else None
        filled = home is not None and all(one is at(home, path[1:]) for one, path in zip(now, self._paths, strict=True))
        self.is_sure |= filled
        return filled


class Moves:
    """Everything that gradients are taken of."""

    def __init__(self) -> None:
        self._known: dict[Any, Followed] = {}
        self._past = 0  # updates of models that are gone
        self.listens = False  # whether such a call is under way
        self.filled: Reference = weak(None)  # the module that a function under a gradient call was last to fill

    def of(self, model: Any, function: Any) -> Followed:
        """Return what is known of a model, or of a function of no model, however often its gradient is made."""
        function = function.func if static.is_a(function, partial) else function
        key = (static.code(function) or id(function)) if model is None else id(model)
        known = self._known.get(key)
        if known is None or known.model() is not model:
            self._past += known.updates if known is not None and not known.by_optimizer else 0
            known = self._known[key] = Followed(model)
        return known

    def add(self, key: Any) -> Followed:
        """Return what is known of a compiled function."""
        return self._known.setdefault(key, Followed())

    def finish(self, made: int) -> None:
        """Count what came after the last calls, and `made` updates by optimizers of MLX."""
        for one in self._known.values():
            one.finish(made)

    @property
    def by_hand(self) -> int:
        """How many updates are known that no optimizer of MLX has made."""
        return self._past + sum(one.updates for one in self._own() if one.is_sure)

    @property
    def uncounted(self) -> bool:
        """Whether parameters change that are not counted: in place, where their arrays stay the same objects."""
        return any(one.changes and one.is_sure and not one.updates for one in self._own())

    @property
    def unfollowed(self) -> int:
        """How many gradient calls were given other arrays than the one before, which may be parameters or data."""
        return sum(one.updates for one in self._own() if not one.is_sure)

    def _own(self) -> list[Followed]:
        return [one for one in self._known.values() if not one.by_optimizer]


def paths(tree: Any, accepts: Callable[[Any], bool] = is_array) -> list[Path]:
    """Return where a few arrays of a tree are, from all over it."""
    found: list[Path] = []
    waiting: list[tuple[Path, Any]] = [((), tree)]
    known = set[int]()  # a program's own tree may lead back into itself
    while waiting:
        path, node = waiting.pop()
        if accepts(node):
            found.append(path)
        elif static.is_a(node, static.CONTAINERS) and id(node) not in known:
            known.add(id(node))
            waiting += [((*path, key), one) for key, one in static.entries(node)]
    return found[:: max(1, len(found) // FOLLOWED)]
