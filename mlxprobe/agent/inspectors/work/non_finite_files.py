"""Files that the program writes, and whether what is in them is finite."""

from __future__ import annotations

import math
import os
from typing import Any

from mlxprobe.agent.graph import lazy_graph
from mlxprobe.agent.hooks.evaluations import WRITERS
from mlxprobe.agent.intercept.events import CallEvent
from mlxprobe.agent.intercept.intercepts import Observe
from mlxprobe.agent.intercept.states import OURS, TRACE
from mlxprobe.agent.introspection import call_site
from mlxprobe.agent.sampling.inspector import Inspector
from mlxprobe.agent.wire import bound
from mlxprobe.protocol.facts.files import SavedNotFinite

SHARE, FREE_S = 0.05, 0.02  # of the time that the writing took
LISTED = 5


class Written(Inspector):
    """Look at the arrays right after they have been written: the writing has evaluated them."""

    emits = (SavedNotFinite,)
    observes = tuple(Observe(f"mlx.core.{one}", "_writes", after=True, never=OURS | TRACE) for one in WRITERS)

    def _writes(self, event: CallEvent) -> None:
        now_s = bound.monotonic()
        until_s = now_s + FREE_S + SHARE * (now_s - event.began_s)
        self.inspection.at_our_cost(self._look_at, event["file"], [*event.args[1:], event.kwargs], until_s)

    def _look_at(self, file: Any, given: list[Any], until_s: float) -> None:
        """Tell of arrays that are not finite, as far as time allows."""
        import mlx.core as mx

        bad, nan, looked = {}, 0, 0
        for path, one in lazy_graph.named_leaves(given):
            if bound.monotonic() > until_s:
                break
            if mx.issubdtype(one.dtype, mx.floating):
                looked += 1
                if not bool(mx.all(mx.isfinite(one)).item()):
                    bad[path.partition(".")[2] or path] = one
                    nan += bool(mx.any(mx.isnan(one)).item())
        if bad:
            self.inspection.recorder.fact(
                SavedNotFinite(
                    file=os.path.basename(str(file)) if isinstance(file, (str, os.PathLike)) else "",
                    paths=tuple(bad)[:LISTED],
                    count=len(bad),
                    nan=nan,
                    of=looked,
                    **self._origin(bad),
                ),
                call_site.calling(),
            )

    def _origin(self, bad: dict[str, Any]) -> dict[str, Any]:
        """Tell whether any is trained, itself or one of the same name, and the type in which that is finite."""
        live = [pair for tree in self.inspection.recorder.trained.trees() for pair in lazy_graph.named_leaves(tree)]
        known, ids = dict(live), {id(one) for _, one in live}
        named = [known[path] for path, one in bad.items() if path in known and known[path].shape == one.shape]
        finite = [
            str(one.dtype) for one in named if not lazy_graph.pending([one]) and math.isfinite(lazy_graph.largest(one))
        ]
        trained = any(id(one) in ids or path in known for path, one in bad.items())
        return {"trained": trained, "finite": finite[0] if finite else ""}
