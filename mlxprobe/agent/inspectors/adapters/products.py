"""Whether a weight is trained beside two factors whose product is added to it, wherever the three are kept."""

from __future__ import annotations

from itertools import product
from typing import Any, NamedTuple

from mlxprobe.agent.graph import lazy_graph
from mlxprobe.agent.inspectors.work.turns import HELD_BYTES, HELD_SHARE
from mlxprobe.agent.introspection import lora_detection
from mlxprobe.agent.recording.gradient_call import Call
from mlxprobe.agent.sampling.dispatcher import Inspection
from mlxprobe.agent.sampling.inspector import Inspector
from mlxprobe.agent.sampling.sketches import TOLERANCE
from mlxprobe.protocol.facts.adapters import AdapterWithBase

MOST = 3  # weights that are looked at, with their factors
MATRICES = 512
LOOKS = 6
SMALL_RANK = 2  # times smaller than the weight's shorter side
LEAST = 8  # elements of a factor
MOST_ELEMENTS = 1 << 16  # of one


class Part(NamedTuple):
    """A matrix that a gradient is taken of, with its number among them."""

    at: int
    path: str
    array: Any
    gradient: Any


class Products(Inspector):
    """Ask the gradients: with W + s·L·R, and with nothing else, that of L is s times that of W times R transposed."""

    emits = (AdapterWithBase,)
    passes = 1

    def __init__(self, inspection: Inspection) -> None:
        super().__init__(inspection)
        self._held: list[tuple[Part, Part, Part]] = []
        self._site = ("", 0)
        self._before: dict[str, list[float]] = {}
        self._known: set[str] = set()  # weights that have moved with such factors
        self._looks = 0

    def called(self, call: Call) -> None:
        """Hold the first few weights that may have such factors."""
        self._held, self._site = [], call.site
        known = self.inspection.recorder
        if self._looks >= LOOKS or self.inspection.inside or known.lazy_steps > 1 or call.parameters is None:
            return
        if self._looks == 0 and call.model is not None and lora_detection.find(call.model):
            self._looks = LOOKS  # of which `Adapters` knows more
            return
        given, gradients = lazy_graph.named_leaves(call.parameters), lazy_graph.leaves(call.gradients)
        if len(given) != len(gradients):
            return
        pairs = zip(given, gradients, strict=True)
        parts = [Part(k, path, one, by) for k, ((path, one), by) in enumerate(pairs) if one.ndim == 2]
        budget = max(HELD_BYTES, HELD_SHARE * sum(one.nbytes for one in gradients))
        for three in fitting(parts[:MATRICES]):
            budget -= sum(one.gradient.nbytes for one in three)
            if budget > 0 and len(self._held) < MOST:
                self._held.append(three)

    def forget(self) -> None:
        self._held = []

    def look(self, step: int) -> None:
        held = self._held
        self.forget()
        if not held or self.inspection.pending([one for part in held for three in part for one in three[2:]]):
            return
        self._looks += 1
        before, self._before = self._before, {}
        for three in held:
            paths = [one.path for one in three]
            values = {one.path: lazy_graph.numbers(lazy_graph.sample(one.array)) for one in three}
            self._before |= values
            weight, left, right = three
            moved = [path in before and before[path] != values[path] for path in paths]
            if moved[0] and any(moved[1:]) and belongs(weight, left, right):
                self._known.add(weight.path)
        if self._known and self._looks > 1 and all(one[0].path in self._known for one in held):
            self._tell(held)

    def _tell(self, held: list[tuple[Part, Part, Part]]) -> None:
        self._looks = LOOKS
        self.inspection.recorder.fact(
            AdapterWithBase(
                count=len(held),
                bases=tuple(one[0].path for one in held),
                rank=str(min(held[0][1].array.shape)),
                adapters=sum(int(one.array.size) for three in held for one in three[1:]),
                elements=sum(int(three[0].array.size) for three in held),
            ),
            self._site,
        )


def fitting(parts: list[Part]) -> list[tuple[Part, Part, Part]]:
    """List weights with the two factors next to them that may be theirs, by their shapes."""
    found: list[tuple[Part, Part, Part]] = []
    thin = [one for one in parts if max(one.array.shape) >= SMALL_RANK * min(one.array.shape)]
    thin = [one for one in thin if LEAST <= one.array.size <= MOST_ELEMENTS]
    for left in thin:
        rank, long = sorted(left.array.shape)
        others = [one for one in thin if one.at > left.at and min(one.array.shape) == rank]
        for right in sorted(others, key=lambda one: one.at - left.at)[:1]:
            sides = sorted((long, max(right.array.shape)))
            near = sorted(
                (one for one in parts if sorted(one.array.shape) == sides and one not in (left, right)),
                key=lambda one: abs(2 * one.at - left.at - right.at),
            )
            free = [one for one in near if all(one.path != three[0].path for three in found)]
            if free and rank * SMALL_RANK <= sides[0]:
                found.append((free[0], left, right))
    return found


def belongs(weight: Part, left: Part, right: Part) -> bool:
    """Tell whether the factors' gradients are those of a product that is added to the weight, either way round."""
    for flips in product((False, True), repeat=3):
        w, a, b = (turned(part, flip) for part, flip in zip((weight, left, right), flips, strict=True))
        (_, dw), (la, da), (rb, db) = w, a, b
        fits = la.shape[1] == rb.shape[0] == min(left.array.shape) and dw.shape == (la.shape[0], rb.shape[1])
        if fits and proportional([(da, dw @ rb.T), (db, la.T @ dw)]):
            return True
    return False


def turned(part: Part, flip: bool) -> tuple[Any, Any]:
    """Return a matrix and its gradient, or both transposed."""
    pair = part.array, part.gradient
    return (pair[0].T, pair[1].T) if flip else pair


def proportional(pairs: list[tuple[Any, Any]]) -> bool:
    """Tell whether each array is the same multiple of the one that is expected; both may be zero, once."""
    import mlx.core as mx

    sums = [
        [mx.sum(one * other) for one, other in ((a, a), (a, b), (b, b))]
        for a, b in ((a.astype(mx.float32), b.astype(mx.float32)) for a, b in pairs)
    ]
    lazy_graph.evaluate([one for three in sums for one in three])
    scales = []
    for own, both, expected in ([one.item() for one in three] for three in sums):
        if own == expected == 0:
            continue
        if not expected or own - both * both / expected > TOLERANCE**2 * own:
            return False
        scales.append(both / expected)
    return bool(scales) and max(scales) - min(scales) <= TOLERANCE * abs(scales[0]) and scales[0] != 0
