"""Take a held gradient call again, and find the first operation whose result, or gradient, is not finite."""

from __future__ import annotations

import contextlib
import inspect
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from types import FrameType
from typing import Any

from mlxprobe.agent.graph import lazy_graph
from mlxprobe.agent.introspection.side_effects import Effects, is_library
from mlxprobe.agent.introspection.trees import Saved, SavedKey, lent, set_to, weak
from mlxprobe.agent.nan_origin import nan_causes
from mlxprobe.agent.nan_origin.backward import first_broken
from mlxprobe.agent.nan_origin.call_history import Held
from mlxprobe.agent.nan_origin.tape import NotTakenError, Operation, Tape, state_of
from mlxprobe.agent.patching import static
from mlxprobe.agent.patching.interrupts import Stop
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
        with replaying(inspection), opened(chosen, inspection) as inner:
            found = Replay(inner, inspection).found(where)
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


@contextlib.contextmanager
def replaying(inspection: Inspection) -> Iterator[None]:
    """Keep what is run meanwhile from counting as the program's."""
    recorder, nesting, peaks = inspection.recorder, inspection.nesting, inspection.nesting.peaks
    before = inspection.busy, recorder.deaf
    inspection.busy = recorder.deaf = nesting.replay = True
    nesting.depth += 1
    try:
        with peaks.hidden():
            yield
    finally:
        nesting.depth -= 1
        nesting.replay = False
        inspection.busy, recorder.deaf = before


class Reached(Stop):
    """The gradient call in a compiled function has been reached."""


@contextlib.contextmanager
def opened(held: Held, inspection: Inspection) -> Iterator[Held]:
    """Give the gradient call that a held one makes: itself, or the one in a compiled function, as its state was."""
    if held.state is None:
        yield held
        return
    inner: list[Held] = []

    def reached(function: Any, args: Any, kwargs: Any, model: Any) -> None:
        inner.append(Held(held.call, lambda: function, args, kwargs, weak(model[0]), lambda: model[1], SavedKey().key))
        raise Reached

    saved, random, nesting = Saved(*(one for one, _ in held.state)), SavedKey(), inspection.nesting
    try:
        for one, was in held.state:
            set_to(one, was) if static.is_a(one, dict) else list.__setitem__(one, slice(None), was)
        Saved(*(one for one, _ in held.state)).lend()
        random.draw_from(held.key)
        nesting.reached = reached
        held.function()(*lent(held.given()), **lent(held.kwargs))
    except Reached:
        nesting.reached = None
        yield inner[0]
    else:
        raise NotTakenError("it makes no gradient call")
    finally:
        nesting.reached = None
        saved.put_back()
        random.put_back()


class Replay:
    """One held call, taken again; modules and random numbers are put back."""

    def __init__(self, held: Held, inspection: Inspection) -> None:
        self._held = held
        self._recorder = inspection.recorder
        self._given = lent(held.given()), lent(held.kwargs)
        self._effects = Effects()
        self._saved: list[Saved] = []
        self._known: set[int] = set()
        spare = max(0, inspection.nesting.peaks.own() - self._recorder.active())
        self._tape = Tape(spare + ROOM_BYTES, self._recorder.tick)

    def found(self, site: tuple[str, int]) -> Found | None:
        """Return where it arose in this call; nothing where both the loss and its gradient are finite now."""
        tape, random = self._tape, SavedKey()
        self._save(self._held.model())
        for one in self._held.given():
            self._save(one)
        try:
            for saved in self._saved:
                saved.lend()
            names = {tape.number(one): name for name, one in self._names()}
            random.draw_from(self._held.key)
            with tape.recording(), self._guarded():
                loss = self._loss(self._held.function()(*self._given[0], **self._given[1]))
            return self._judged(loss, names, site)
        except Stop:
            raise NotTakenError(f"a second call could show: it {self._effects.found}") from None
        finally:
            random.put_back()
            for saved in reversed(self._saved):
                saved.put_back()

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

    def _save(self, one: Any) -> None:
        if static.is_module(one) and id(one) not in self._known:
            self._known.add(id(one))
            self._saved.append(Saved(one))

    def _loss(self, value: Any) -> Any:
        if static.is_array(first := static.first(value)) and first.size == 1:
            return first
        raise NotTakenError("it returns no single number")

    @contextlib.contextmanager
    def _guarded(self) -> Iterator[None]:
        """Read each function of the program's before it runs, and stop at one whose second call could show."""
        before = sys.getprofile()
        effects = self._effects

        def follow(frame: FrameType, event: str, _: Any) -> None:
            if event != "call" or frame.f_code in effects.codes or is_library(frame.f_code.co_filename):
                return
            effects.visit(frame)
            for known in effects.roots:
                self._save(known())
            if effects.found or any(not any(one in saved for saved in self._saved) for one in effects.changed):
                effects.found = effects.found or "writes to a module that is not the model"
                raise Stop

        sys.setprofile(follow)
        try:
            yield
        finally:
            sys.setprofile(before)
