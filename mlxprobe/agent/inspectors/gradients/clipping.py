"""Gradients that were clipped element by element, or by their norm, as the optimizer gets them."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from mlxprobe.agent.graph import lazy_graph
from mlxprobe.agent.intercept.events import CallEvent
from mlxprobe.agent.intercept.intercepts import Observe
from mlxprobe.agent.introspection import call_site
from mlxprobe.agent.introspection.trees import weak
from mlxprobe.agent.patching import static
from mlxprobe.agent.patching.signatures import like
from mlxprobe.agent.patching.temporary_patches import Loans
from mlxprobe.agent.recording.gradient_call import Call
from mlxprobe.agent.sampling.dispatcher import Inspection
from mlxprobe.agent.sampling.gradient_ledger import Clip, smallest
from mlxprobe.agent.sampling.inspector import Inspector
from mlxprobe.agent.sampling.sketches import share
from mlxprobe.protocol.facts.updates import ClippedAway, ClippedEverywhere, ClippedWhileScaled

BOUNDS = "clip", "minimum", "maximum"
MOST_ELEMENTS, ENOUGH = 0.5, 32  # of those that are not zero
IS_SURE = 4
LEAST_POWER = 5.5  # of two: by fewer calls are micro-batches averaged
LOOKS, SMALL = 8, 0.02  # and the part that is left of a gradient
SAME, LESS = 0.01, 0.999  # of norms: that are one limit, and that were changed


class Clipping(Inspector):
    """Count the elements that have exactly the largest absolute value of all, where the program changed gradients."""

    emits = (".clip_norm", ClippedAway, ClippedEverywhere, ClippedWhileScaled)
    observes = (Observe("mlx.core.sign", "_takes_signs"),)
    builds_on = ("Provenance",)
    shadows = True
    passes = 1

    def __init__(self, inspection: Inspection) -> None:
        super().__init__(inspection)
        self._raw: set[int] = set()
        self._held: list[Any] = []
        self._site = self._clipped_at = call_site.NOWHERE
        self._loans = Loans()
        self._seen = ""
        self._signs = self._wants_signs = False  # whether the program has asked for signs since its gradients
        self._got: list[Any] = []  # by the optimizer, where all of them may be held
        self._norms: list[float] = []  # of gradients that were scaled down as one
        self._factors: list[float] = []  # by which they were
        self._model: Callable[[], Any] = weak(None)
        self._momentum = 0.0
        self._optimizer = ""
        self._updates = 0  # looks
        self._looks: list[tuple[float, float]] = []  # the largest value, and the share of elements that have it

    def _takes_signs(self, event: CallEvent) -> None:
        self._signs = True

    def _follow(self) -> None:
        """Hear of what bounds raw gradients, up to their update."""
        import mlx.core as mx

        self._loans.give_back()
        for name in BOUNDS:
            self._loans.replace(mx, name, self._by_element)

    def _by_element(self, original: Callable[..., Any]) -> Callable[..., Any]:
        @like(original)
        def clip(*args: Any, **kwargs: Any) -> Any:
            if not self._raw.isdisjoint(map(id, (*args, *kwargs.values()))):
                self._clipped_at = call_site.calling()
            return original(*args, **kwargs)

        return clip

    def called(self, call: Call) -> None:
        self._signs, self._clipped_at = False, call_site.NOWHERE
        self._follow()
        self._raw = {id(one) for one in lazy_graph.leaves(call.gradients)}

    def updating(self, model: Any, optimizer: Any, gradients: Any) -> None:
        self._loans.give_back()
        got = lazy_graph.leaves(gradients)
        held = smallest(got)
        self._got = got if len(held) == len(got) else []
        self._held = [one for one in held if id(one) not in self._raw and one.size > 1]
        self._site, self._seen = call_site.blamed(self._clipped_at, call_site.calling())
        self._optimizer = type(optimizer).__name__
        self._model, self._momentum = weak(model), static.setting(optimizer, "momentum", 0.0)
        self._wants_signs = self._signs

    def forget(self) -> None:
        self._loans.give_back()
        self._raw, self._held, self._got, self._model = set(), [], [], weak(None)

    def look(self, step: int) -> None:
        held, self._held = self._held, []
        self._loans.give_back()
        self._follow_norm()
        if not held or self.inspection.pending(held):
            return
        import mlx.core as mx

        limit = max(lazy_graph.largest(one) for one in held)
        if not 0 < limit < float("inf"):
            return
        sizes = [mx.abs(one) for one in held]
        at_limit = sum(lazy_graph.number((size == limit).sum()) for size in sizes)
        between = sum(lazy_graph.number(((size > 0) & (size < limit)).sum()) for size in sizes)
        if at_limit + between >= ENOUGH:  # of units that are shut all elements are zero
            self._judge(limit, at_limit / (at_limit + between), between)

    def _follow_norm(self) -> None:
        """See whether the last call's gradients were scaled by one factor, and whether to the norm of looks before."""
        got, self._got, model, self._model = self._got, [], self._model(), weak(None)
        update = self.inspection.view.applied[-1] if got and self.inspection.view.applied else None
        if update is None or not update.calls or self.inspection.pending(got):
            return
        self._updates += 1
        given, computed = update.gradients.read(self.inspection.pending), update.calls[-1].gradients
        call = computed.read(self.inspection.pending, update.gradients.arrays)
        factor = share(given, [call]) if given and call else None
        if factor is None or not 0 < factor < LESS:
            return
        self._norms.append(norm_of(got))
        self._factors.append(factor)
        last = self._norms[-IS_SURE:]
        if len(last) == IS_SURE and max(last) - min(last) <= SAME * max(last):
            self.inspection.recorder.channel.send("sheet", values={"clip_norm": last[-1]})
            if update.clip is not None and 0 < update.clip.limit < math.inf:
                self._tell_scaled(last[-1], update.clip)
                self._tell_small(last[-1], update.clip, weights_of(model))

    def _tell_small(self, norm: float, clip: Clip, weights: list[Any]) -> None:
        """Tell of updates that were all scaled to a small part, beside the size of what they move."""
        clipped = len(self._factors) == self._updates >= LOOKS and max(self._factors) < SMALL
        if clipped and self._optimizer == "SGD" and weights and not self.inspection.pending(weights):
            fact = ClippedAway(
                norm=norm,
                limit=clip.limit,
                times=1 / max(self._factors),
                size=norm_of(weights),
                looks=self._updates,
                momentum=float(self._momentum),
            )
            self.inspection.recorder.revise(fact, clip.site)

    def _tell_scaled(self, norm: float, clip: Clip) -> None:
        """Tell of gradients that were clipped, and then divided by a power of two: by what their loss was scaled."""
        power = math.log2(clip.limit / norm)
        if power > LEAST_POWER and abs(2 ** (power - round(power)) - 1) <= SAME:
            scale = 2.0 ** round(power)
            fact = ClippedWhileScaled(limit=clip.limit, scale=scale, norm=norm, optimizer=self._optimizer)
            self.inspection.recorder.fact(fact, clip.site)

    def _judge(self, limit: float, share: float, between: float) -> None:
        """Remember looks at one limit; where no element lies between, these may be signs that the program wants."""
        if self._looks and self._looks[-1][0] != limit:
            self._looks.clear()
        if share < MOST_ELEMENTS or (self._wants_signs and not between):
            return
        self._looks.append((limit, share))
        if len(self._looks) >= IS_SURE:
            share = sorted(one for _, one in self._looks)[len(self._looks) // 2]
            self.inspection.recorder.fact(
                ClippedEverywhere(limit=limit, share=share, looks=len(self._looks), seen=self._seen), self._site
            )


def weights_of(model: Any) -> list[Any]:
    """List what is trained of a model, or of a plain dict of parameters."""
    return lazy_graph.leaves(model.trainable_parameters() if static.is_module(model) else model)


def norm_of(arrays: list[Any]) -> float:
    """Return the norm of all of them."""
    import mlx.core as mx

    return math.sqrt(sum(lazy_graph.number((one.astype(mx.float32) ** 2).sum()) for one in arrays))
