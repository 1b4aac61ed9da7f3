"""The gradients that a sampled step computes, and those that its updates are given."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence
from itertools import accumulate
from typing import Any

from mlxprobe.agent.graph import lazy_graph
from mlxprobe.agent.intercept.events import CallEvent
from mlxprobe.agent.introspection import call_site
from mlxprobe.agent.introspection.call_site import Site
from mlxprobe.agent.patching import static
from mlxprobe.agent.recording.gradient_call import Call
from mlxprobe.agent.sampling.sketches import Held, Pending, Sketch, few

HELD_BYTES = 1_000_000


class Computed:
    """One gradient call: a sketch of its gradients, one of its parameters, and its kind."""

    def __init__(self, call: Call, scalings: int | None) -> None:
        named = dict(lazy_graph.named_leaves(call.gradients))
        parameters = dict(zip(named, lazy_graph.leaves(call.parameters), strict=False))
        self.gradients = Held(few(list(named.items())))
        self.parameter = Held({path: parameters[path] for path in [*self.gradients.arrays][:1] if path in parameters})
        self.model = id(call.model) if call.model is not None else 0
        self.model_kind = type(call.model).__name__
        self.code, self.site = call.code, call.site
        self.scalings = -1 if scalings is None else scalings
        self.kind = call.site, id(call.function), tuple(tuple(one.shape) for one in lazy_graph.leaves(call.data))
        self.within = {(key, frame.f_code) for key, frame in call_site.stack()}
        self.applied = False  # whether its model has been updated since

    @property
    def loop(self) -> Site:
        """The line under way in the innermost function that has made this call; that of the update else."""
        for key, frame in call_site.stack():
            if (key, frame.f_code) in self.within:
                return frame.f_code.co_filename, frame.f_lineno
        return call_site.calling()


class Clip:
    """One call of `clip_grad_norm`: its limit, and some gradients before it and after."""

    def __init__(self, event: CallEvent, few: Iterable[str]) -> None:
        limit, site = event["max_norm"], call_site.calling()
        self.limit, self.site = (float(limit) if static.is_a(limit, (int, float)) else 0.0), site
        before, after = (dict(lazy_graph.named_leaves(one)) for one in (event["grads"], event.result[0]))
        paths = [path for path in few if path in before and path in after]
        self.before, self.after = ({path: one[path] for path in paths} for one in (before, after))
        self.given = smallest(list(before.values()))
        self.unused: bool | None = None  # whether the first update since is given the gradients before it


class Applied:
    """One update: a sketch of the gradients that it is given, and the calls of its model since the one before."""

    def __init__(
        self, model: Any, optimizer: Any, gradients: Any, *, site: Site, weights: Any, calls: Sequence[Computed] = ()
    ) -> None:
        named = dict(lazy_graph.named_leaves(gradients))
        same = {path: named[path] for path in (calls[-1].gradients.arrays if calls else ()) if path in named}
        self.gradients = self._whole = Held(same or few(list(named.items())))
        self.model = id(model) if static.is_module(model) else 0
        self.optimizer, self.optimizer_kind = id(optimizer), type(optimizer).__name__
        self.calls, self.site = calls, site
        self.clip: Clip | None = None
        # Its identity alone: MLX would not update an array in place that is held.
        self.parameter = id(weights.get(self.first[0]))

    @property
    def first(self) -> tuple[str, Any]:
        """The first of its gradients, with its path."""
        return next(iter(self._whole.arrays.items()), ("", None))

    def is_as_computed(self) -> bool:
        """Tell whether the one call's gradients are given as they are."""
        arrays = self.gradients.arrays
        return len(self.calls) == 1 and all(self.calls[0].gradients.arrays.get(path) is arrays[path] for path in arrays)

    def follows(self, other: Applied) -> bool:
        """Tell whether it updates what another has updated: a trial that is taken back finds its parameter again.

        Another optimizer does so where it is given the very same array, for the very same model.
        """
        (path, gradient), (others_path, others) = self.first, other.first
        same = self.optimizer == other.optimizer and (self.model == other.model or 0 in (self.model, other.model))
        same = same or (gradient is others and self.model == other.model != 0)
        return gradient is not None and same and path == others_path and self.parameter != other.parameter

    def clipped(self, clip: Clip, given: set[int]) -> None:
        """Note a clipping by norm of what may be its gradients; those that it has changed are read as they were."""
        arrays = self.gradients.arrays
        before = {path: clip.before[path] for path, one in arrays.items() if clip.after.get(path) is one}
        self._whole = Held(arrays | before) if before else self.gradients
        self.clip = clip
        if clip.unused is None:
            clip.unused = bool(clip.given) and given.issuperset(map(id, clip.given))

    def brief(self) -> Applied:
        """Return what is kept for the next step: of its gradients the first alone."""
        kept, (path, gradient) = copy.copy(self), self.first
        kept.gradients = kept._whole = Held({path: gradient})
        kept.calls, kept.clip = (), None
        return kept

    def read(self, pending: Pending) -> Sketch | None:
        """Return the sketch of its gradients, once evaluated."""
        return self._whole.read(pending)

    def read_calls(self, pending: Pending, calls: Sequence[Computed]) -> list[Sketch | None]:
        """Return the sketches of calls over the same paths."""
        return [one.gradients.read(pending, self.gradients.arrays) for one in calls]


def smallest(gradients: list[Any]) -> list[Any]:
    """Choose gradients that may be held up to the end of a step: their norm is at most that of all."""
    ordered = sorted(gradients, key=lambda one: int(one.nbytes))
    sizes = accumulate(int(one.nbytes) for one in ordered)
    return [one for one, size in zip(ordered, sizes, strict=True) if size <= HELD_BYTES]
