"""Files that the program writes, and whether what is in them is finite."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from typing import Any

from mlxprobe.agent.code import sites
from mlxprobe.agent.graphs import graph
from mlxprobe.agent.hooks.evaluations import WRITERS
from mlxprobe.agent.looks.inspector import Inspector
from mlxprobe.agent.wire import bound
from mlxprobe.agent.wrapping.arguments import like
from mlxprobe.agent.wrapping.given import Given
from mlxprobe.protocol.facts.files import SavedNotFinite

SHARE, FREE_S = 0.05, 0.02  # of the time that the writing took
LISTED = 5


class Written(Inspector):
    """Look at the arrays right after they have been written: the writing has evaluated them."""

    emits = (SavedNotFinite,)

    def imported(self, name: str, module: Any) -> None:
        if name == "mlx.core":
            for writer in WRITERS:
                setattr(module, writer, self._looked_at(getattr(module, writer)))

    def _looked_at(self, original: Callable[..., Any]) -> Callable[..., Any]:
        clock = bound.monotonic

        given = Given(original, "file")

        @like(original)
        def write(*args: Any, **kwargs: Any) -> Any:
            began = clock()
            result = original(*args, **kwargs)
            if not self.inspection.busy and not self.inspection.tracing:
                with self.inspection.at_our_cost():
                    self._look_at(
                        given(args, kwargs)[0], [*args[1:], kwargs], clock() + FREE_S + SHARE * (clock() - began)
                    )
            return result

        return write

    def _look_at(self, file: Any, given: list[Any], until_s: float) -> None:
        """Tell of arrays that are not finite, as far as time allows."""
        import mlx.core as mx

        bad, nan, looked = {}, 0, 0
        for path, one in graph.named_leaves(given):
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
                sites.calling(),
            )

    def _origin(self, bad: dict[str, Any]) -> dict[str, Any]:
        """Tell whether any is trained, itself or one of the same name, and the type in which that is finite."""
        live = [pair for tree in self.inspection.recorder.trained.trees() for pair in graph.named_leaves(tree)]
        known, ids = dict(live), {id(one) for _, one in live}
        named = [known[path] for path, one in bad.items() if path in known and known[path].shape == one.shape]
        finite = [str(one.dtype) for one in named if not graph.pending([one]) and math.isfinite(graph.largest(one))]
        trained = any(id(one) in ids or path in known for path, one in bad.items())
        return {"trained": trained, "finite": finite[0] if finite else ""}
