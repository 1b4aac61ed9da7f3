"""Arrays that reach the loss and are no parameters: what MLX does not walk, it does not train."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from types import FunctionType, ModuleType
from typing import Any

from mlxprobe.agent.graph import lazy_graph
from mlxprobe.agent.graph.dataflow import LossGraph
from mlxprobe.agent.inspectors.models.tensor_layout import neighbours
from mlxprobe.agent.introspection import call_site, isolated_import
from mlxprobe.agent.patching import static
from mlxprobe.agent.recording.gradient_call import Call
from mlxprobe.agent.sampling.dispatcher import Inspection
from mlxprobe.agent.sampling.inspector import Inspector
from mlxprobe.agent.wire import bound
from mlxprobe.protocol.facts.models import ArrayUntrained

SURE = 3  # looks
MANY = 32  # parameters, and arrays of hidden modules, that are looked at
ENOUGH = 16  # elements, to tell noise from a table
FEW = 4  # rows, of which neighbours correlate, or do not
SMOOTH = 0.5
LARGE = 1 << 20
Place = tuple[tuple[str, int], str, bool]  # a line, where it shows, and whether what it sets joins what is trained
LONG, VISITS = 64, 500  # what a container may hold, and all that is looked through: a data set is no model


class Unowned:
    """An array by its path, and the attribute that hides it; one of a whole module may be a teacher's.

    One that lies `plain` in an object of another class may be data.
    """

    def __init__(
        self, path: str, attribute: str, owner: tuple[Any, str], array: Any, *, of_module: bool, plain: bool
    ) -> None:
        self.path = path
        self.attribute = attribute
        self.owner = owner  # the module that has the attribute, and what it calls that
        self.array = array
        self.of_module = of_module
        self.plain = plain

    @property
    def shows(self) -> bool:
        """Whether nothing but its container hides it."""
        return not self.owner[1].startswith("_")


class Hidden(Inspector):
    """Follow what reaches the loss without being a parameter; what stays the same is never trained."""

    emits = (ArrayUntrained,)
    shadows = True

    def __init__(self, inspection: Inspection) -> None:
        super().__init__(inspection)
        self._values: dict[str, tuple[list[float], int]] = {}  # what an array held, and looks that found the same
        self._reached: dict[str, bool] = {}  # and whether the array joins what parameters have made, or is their like
        self._drawn: dict[str, bool] = {}  # whether one was drawn at random, as its graph said
        self._told: dict[str, tuple[Callable[[], Any], Place]] = {}  # of which model, and where

    def called(self, call: Call) -> None:
        """Remember hidden arrays that reach the loss."""
        if call.model is None or call.loss is None or self.inspection.recorder.lazy_steps > 1:
            return
        hidden = {one.path: one for one in self._hidden(call.model) if one.array.size <= LARGE}
        for one in hidden.values():
            if one.path not in self._drawn and len(self._drawn) < MANY:
                self._drawn[one.path] = "RandomBits" in lazy_graph.drawn([one.array])
        if hidden and not self._reached:
            self._reached = reaching(call, list(hidden.values()))
        for path in self._reached.keys() & hidden.keys():
            self._follow(hidden[path], call)

    def _hidden(self, model: Any) -> Iterator[Unowned]:
        owned = {id(one) for one in lazy_graph.leaves(model.parameters())}
        loaded = self.inspection.recorder.loaded_into
        return (one for one in unowned(model, loaded) if id(one.array) not in owned)

    def finish(self) -> None:
        """Take back what has moved since it was told: it is trained elsewhere, in its own time."""
        for path, (model, _) in list(self._told.items()):
            hidden = [one.array for one in self._hidden(model()) if one.path == path] if model() is not None else []
            if (
                hidden
                and not lazy_graph.pending(hidden)
                and lazy_graph.numbers(lazy_graph.sample(hidden[0])) != self._values[path][0]
            ):
                self._take_back(path)

    def _follow(self, one: Unowned, call: Call) -> None:
        if not self.inspection.inside and lazy_graph.pending([one.array], copies=False):
            return  # before 0.30 a call leaves a copy of what its arguments hold
        values = lazy_graph.numbers(lazy_graph.sample(one.array))
        before, same = self._values.get(one.path, ([], 0))
        self._values[one.path] = values, same + 1 if values == before else 0
        if values == before and same + 1 == SURE and (self._drawn.get(one.path) or is_noise(one.array)):
            place = (*call_site.blamed(set_at(one, call.site), call.site), self._reached[one.path])
            self._told[one.path] = bound.ref(call.model), place
            self._tell(place)
        elif values != before and one.path in self._told:
            self._take_back(one.path)

    def _take_back(self, path: str) -> None:
        _, place = self._told.pop(path)
        self._tell(place)

    def _tell(self, place: Place) -> None:
        """Tell of all that one line hides; of none, where all have moved."""
        (site, seen, joins), paths = place, tuple(path for path, (_, other) in self._told.items() if other == place)
        self.inspection.recorder.revise(ArrayUntrained(paths=paths, seen=seen, joins=joins), site)


def set_at(one: Unowned, shown: tuple[str, int]) -> tuple[str, int]:
    """Return the line that sets the attribute."""
    with isolated_import.importable():
        from mlxprobe.agent.introspection import blame

    return blame.assignment(*one.owner, shown[0])


def reaching(call: Call, hidden: list[Unowned]) -> dict[str, bool]:
    """Name the arrays that take part in the loss, and say whether each joins what parameters have made.

    Random features of the data do not; tables of which rows are taken count as if they did, but behind an underscore.
    Of a module's arrays one is named, and only where it lies between parameters, or before one: a teacher or a fixed
    target works on the data alone, and what it makes is compared with what is trained.
    """
    names = {f"h{k}": one for k, one in enumerate(hidden)}
    trained = {f"p{k}": one for k, one in enumerate(lazy_graph.leaves(call.model.trainable_parameters())[:MANY])}
    arrays = {name: one.array for name, one in names.items()}
    drawn = LossGraph(lazy_graph.dot(loss=call.loss, **trained, **arrays), frozenset(trained | arrays))
    names = {name: one for name, one in names.items() if not drawn.named_behind(name) & trained.keys()}  # as maps kept
    alone = {name: one for name, one in names.items() if not (one.of_module or one.plain) and drawn.reaches(name)}
    found = {
        one.path: drawn.weighs(name, set(trained), anywhere=True) or (one.shows and drawn.is_table(name))
        for name, one in alone.items()
    }
    within: dict[str, str] = {}
    for name, one in names.items():
        if one.of_module and one.attribute not in within and drawn.weighs(name, set(trained)):
            within[one.attribute] = one.path
    before: dict[str, str] = {}
    for name, one in names.items():
        if (one.of_module or one.plain) and one.attribute not in within | before and drawn.leads(name, set(trained)):
            before[one.attribute] = one.path
            found[one.path] = one.of_module and one.plain  # layers in a container of the user's own
    return found | dict.fromkeys(within.values(), True)


def unowned(model: Any, loaded: set[int]) -> Iterator[Unowned]:
    """List floating-point arrays of the user's own modules that MLX takes for no parameters."""
    import mlx.core as mx

    for path, module in model.named_modules():
        if call_site.is_mlx(type(module).__module__):
            continue
        hides = [(name, one) for name, one in module.items() if name.startswith("_") or static.is_a(one, tuple)]
        hides += [(name, one) for name, one in static.attributes(module).items() if not name.startswith("__")]
        hides += [(name, one) for name, one in module.items() if static.is_a(one, (list, dict)) and holds_plain(one)]
        for name, value in hides:
            attribute = ".".join(part for part in (path, name) if part)
            left = MANY
            for inner, one, of_module, plain in held(value, loaded):
                if mx.issubdtype(one.dtype, mx.floating) and one.size > 1 and left:
                    left -= of_module or plain
                    told = f"{attribute}.{inner}".rstrip("."), attribute, (module, name), one
                    yield Unowned(*told, of_module=of_module, plain=plain)


def holds_plain(container: Any) -> bool:
    """Tell whether a list or dict, which MLX walks, holds an object that it does not."""
    known = (bool, int, float, str, bytes, list, tuple, dict, type(None), FunctionType, ModuleType)  # or a module
    return static.size(container) <= LONG and any(
        not (static.is_a(one, known) or static.is_array(one) or static.is_module(one))
        for one in static.children(container)
    )


def held(value: Any, loaded: set[int]) -> Iterator[tuple[str, Any, bool, bool]]:
    """List the arrays in a value by path, and whether a module holds them, or a plain object.

    Of a module's what is neither frozen nor loaded. Arrays that lie right in an object of another class may be data;
    the modules in it are meant to be layers.
    """
    waiting, known, visits = deque([("", value, False)]), {id(value)}, 0
    while waiting and visits < VISITS:
        (path, one, plain), visits = waiting.popleft(), visits + 1
        if static.is_array(one):
            yield path, one, False, plain
        elif static.is_module(one):
            leaves = lazy_graph.named_leaves(one.trainable_parameters()) if id(one) not in loaded else []
            yield from ((f"{path}.{below}".lstrip("."), leaf, True, plain) for below, leaf in leaves)
        else:
            plain = plain or not static.is_a(one, (dict, list, tuple))
            new = [(name, child) for name, child in inside(one) if id(child) not in known]
            known.update(id(child) for _, child in new)
            waiting += [(f"{path}.{name}".lstrip("."), child, plain) for name, child in new]


def inside(value: Any) -> list[tuple[str, Any]]:
    """List what a container or an object of the user's own holds; nothing of the user's is called for that."""
    if static.is_a(value, static.CONTAINERS):
        return list(static.texts(static.entries(value))) if static.size(value) <= LONG else []
    if static.is_a(value, (type, FunctionType, ModuleType)) or call_site.is_mlx(static.origin(value)):
        return []
    return list(static.attributes(value).items())[:LONG]


def is_noise(array: Any) -> bool:
    """Tell whether an array looks drawn at random: a weight, not a table of positions, a mask or a constant."""
    values = lazy_graph.numbers(lazy_graph.sample(array))
    if len(values) < ENOUGH or len(set(values)) < len(values) // 2:
        return False
    rows = array.reshape(1, array.shape[0], -1) if array.ndim > 1 else array.reshape(1, -1, 1)
    long = [axis for axis, least in ((1, FEW), (2, ENOUGH)) if rows.shape[axis] >= least]
    return all(abs(neighbours(rows, axis)) < SMOOTH for axis in long or (1,))
