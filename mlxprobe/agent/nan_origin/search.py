"""Take a held gradient call again, and find the first operation whose result, or gradient, is not finite."""

from __future__ import annotations

import inspect
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from mlxprobe.agent.graph import lazy_graph
from mlxprobe.agent.introspection.trees import Saved, SavedKey, lent, set_to, weak
from mlxprobe.agent.nan_origin import nan_causes
from mlxprobe.agent.nan_origin.backward import first_broken
from mlxprobe.agent.nan_origin.call_history import Held
from mlxprobe.agent.nan_origin.tape import NotTakenError, Operation, Tape, state_of
from mlxprobe.agent.patching import static
from mlxprobe.agent.patching.interrupts import Stop
from mlxprobe.agent.recording.call_context import Nesting
from mlxprobe.agent.replay.sandbox import Refused, Sandbox
from mlxprobe.agent.sampling.dispatcher import Inspection

ROOM_BYTES = 64_000_000  # beside the program's own peak


@dataclass
class Found:
    """Where a value that is not finite arose, and why; `told` holds the fields of the fact."""

    site: tuple[str, int]
    told: dict[str, Any]


def search(held: list[Held], call: int, inspection: Inspection, *, after: bool) -> Found | None:
    """Return where it arose: in one of the held calls, between two of them, or before all."""
    usable = [one for one in held if one.function() is not None]
    finite = [one for one in usable if one.call <= call and all_finite(one.trained())]
    if not finite:
        return lost(usable[0], inspection) if usable else None
    chosen = finite[-1]
    where = inspection.recorder.gradient_site
    try:
        found = replayed(chosen, inspection, where)
    except NotTakenError as why:
        return Found(where, {"kind": "not taken again", "why": str(why), "call": chosen.call})
    later = [one for one in usable if one.call > chosen.call and not all_finite(one.trained())]
    if found is None and (later or after):
        return updated(chosen, inspection)
    return found


def lost(oldest: Held, inspection: Inspection) -> Found:
    """Tell of parameters that were not finite before any call that is still held."""
    bad = [path for path, one in lazy_graph.named_leaves(oldest.trained()) if state_of(one)]
    return Found(inspection.recorder.gradient_site, {"kind": "before", "call": oldest.call, "paths": tuple(bad[:5])})


def updated(held: Held, inspection: Inspection) -> Found:
    """Tell of an update that made parameters not finite, with a loss and gradients that were."""
    recorder = inspection.recorder
    site = recorder.update_site if recorder.update_site[1] else recorder.gradient_site
    optimizers = [one for one in recorder.trained.live() if static.is_optimizer(one)]
    told: dict[str, Any] = {"kind": "update", "call": held.call}
    for one in optimizers[:1]:
        rate = one.state.get("learning_rate")
        if rate is not None and not lazy_graph.pending([rate]):
            told["rate"] = lazy_graph.number(rate)
        told["optimizer"], epsilon = type(one).__name__, static.setting(one, "eps", None)
        halves = [str(leaf.dtype) for leaf in lazy_graph.leaves(held.trained()) if "float16" in str(leaf.dtype)]
        if isinstance(epsilon, float) and halves and vanishes(epsilon, halves[0]):
            told |= {"kind": "vanishing eps", "eps": epsilon, "dtype": halves[0].rpartition(".")[2]}
    return Found(site, told)


def vanishes(value: float, dtype: str) -> bool:
    """Tell whether a number is zero in a type."""
    import mlx.core as mx

    return lazy_graph.number(mx.array(value, getattr(mx, dtype.rpartition(".")[2]))) == 0


def all_finite(tree: Any) -> bool:
    """Tell whether arrays are finite; those that wait for their evaluation are not looked at, and count as not."""
    arrays = lazy_graph.leaves(tree)
    return not lazy_graph.pending(arrays) and not any(map(state_of, arrays))


def replayed(held: Held, inspection: Inspection, site: tuple[str, int]) -> Found | None:
    """Take a held call again, and keep what runs meanwhile from counting as the program's."""
    recorder, nesting = inspection.recorder, inspection.nesting
    before = inspection.busy, recorder.deaf
    sandbox = Sandbox(nesting, *(one for one, _ in held.state or ()))
    found: Found | None = None
    nesting.depth += 1
    try:
        inspection.busy = recorder.deaf = nesting.replay = True
        found = sandbox.run(lambda: Replay(opened(held, sandbox, nesting), inspection).found(site))
    except Refused as why:
        raise NotTakenError(str(why)) from None
    finally:
        nesting.depth -= 1
        nesting.replay = False
        inspection.busy, recorder.deaf = before
    return found


class Reached(Stop):
    """The gradient call in a compiled function has been reached."""


def opened(held: Held, sandbox: Sandbox, nesting: Nesting) -> Held:
    """Return the gradient call that a held one makes: itself, or the one in a compiled function, as its state was."""
    if held.state is None:
        return held
    inner: list[Held] = []

    def reached(function: Any, args: Any, kwargs: Any, model: Any) -> None:
        inner.append(Held(held.call, lambda: function, args, kwargs, weak(model[0]), lambda: model[1], SavedKey().key))
        raise Reached

    for one, was in held.state:
        set_to(one, was) if static.is_a(one, dict) else list.__setitem__(one, slice(None), was)
    Saved(*(one for one, _ in held.state)).lend()
    sandbox.draw_from(held.key)
    try:
        nesting.reached = reached
        sandbox.guarded(held.function(), *lent(held.given()), within_s=math.inf, **lent(held.kwargs))
    except Reached:
        return inner[0]
    except Stop:
        raise NotTakenError(sandbox.obstacle()) from None
    finally:
        nesting.reached = None
    raise NotTakenError("it makes no gradient call")


class Replay:
    """One held call, taken again."""

    def __init__(self, held: Held, inspection: Inspection) -> None:
        self._held = held
        self._recorder = inspection.recorder
        self._given = lent(held.given()), lent(held.kwargs)
        modules = [one for one in (held.model(), *held.given()) if static.is_module(one)]
        self._sandbox = Sandbox(inspection.nesting, *modules)
        spare = max(0, inspection.nesting.peaks.own() - self._recorder.active())
        self._tape = Tape(spare + ROOM_BYTES, self._recorder.tick)

    def found(self, site: tuple[str, int]) -> Found | None:
        """Return where it arose in this call; nothing where both the loss and its gradient are finite now."""
        found: Found | None = self._sandbox.run(self._found, site)
        return found

    def _found(self, site: tuple[str, int]) -> Found | None:
        tape, sandbox = self._tape, self._sandbox
        names = {tape.number(one): name for name, one in self._names()}
        sandbox.draw_from(self._held.key)
        args, kwargs = self._given
        try:
            with tape.recording():
                made = sandbox.guarded(self._held.function(), *args, within_s=math.inf, **kwargs)
        except Stop:
            raise NotTakenError(sandbox.obstacle()) from None
        return self._judged(self._loss(made), names, site)

    def _judged(self, loss: Any, names: dict[int, str], site: tuple[str, int]) -> Found | None:
        tape, call = self._tape, {"call": self._held.call}
        number = tape.number(loss)
        if tape.states[number]:
            operation, source, told = nan_causes.forward(tape, number)
            if operation is None:
                return self._given_so(source, names, site)
            return Found(operation.site, {"phase": "forward", **told, **call})
        if not tape.whole:
            raise NotTakenError("its gradient needs more memory than there is to spare")
        parameters = [tape.number(one) for one in lazy_graph.leaves(self._given[0][:1])]
        broken = first_broken(tape, number, parameters, self._recorder.tick)
        if broken is None:
            return None
        operation, told = nan_causes.backward(tape, broken.operation, broken.largest)
        return Found(operation.site, {"phase": "gradient", **told, **call})

    def _given_so(self, number: int, names: dict[int, str], site: tuple[str, int]) -> Found:
        """Tell of a value that no operation made: an argument, a frozen parameter, or what the function has seen."""
        first = self._first_use(number)
        name = names.get(number, "")
        if not name and first is not None:
            site = first.site
        return Found(site, {"kind": "given", "array": name, "call": self._held.call})

    def _first_use(self, number: int) -> Operation | None:
        return next((one for one in self._tape.operations if number in one.inputs), None)

    def _names(self) -> Iterator[tuple[str, Any]]:
        """List the arrays that the call is given, by the names that the program has for them."""
        args, kwargs = self._given
        function = self._held.users() or self._held.function()
        rest = args[1:] if self._held.users() else args
        try:
            names = list(inspect.signature(function).parameters)
        except (TypeError, ValueError):
            names = []
        for k, one in enumerate(rest):
            name = names[k] if k < len(names) else f"argument {k}"
            if not static.is_module(one):
                yield from ((f"{name}.{path}".rstrip("."), leaf) for path, leaf in lazy_graph.named_leaves(one))
        yield from lazy_graph.named_leaves(kwargs)
        yield from ((f"the parameter {path}", one) for path, one in lazy_graph.named_leaves(self._held.model() or {}))

    def _loss(self, value: Any) -> Any:
        if static.is_array(first := static.first(value)) and first.size == 1:
            return first
        raise NotTakenError("it returns no single number")
