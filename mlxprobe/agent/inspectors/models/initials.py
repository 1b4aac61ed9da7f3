"""Numbers to begin with that are made for a parameter, and that nobody keeps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mlxprobe.agent.graph import lazy_graph
from mlxprobe.agent.intercept.events import CallEvent
from mlxprobe.agent.intercept.intercepts import Observe
from mlxprobe.agent.introspection import call_site
from mlxprobe.agent.patching.signatures import like
from mlxprobe.agent.recording.gradient_call import Call
from mlxprobe.agent.sampling.dispatcher import Inspection
from mlxprobe.agent.sampling.inspector import Inspector
from mlxprobe.agent.wire import bound
from mlxprobe.protocol.facts.models import InitialDropped

MOST = 1000  # calls
MAKERS = (
    *("constant", "normal", "uniform", "identity", "sparse", "orthogonal"),
    *("glorot_normal", "glorot_uniform", "he_normal", "he_uniform"),
)


class Initials(Inspector):
    """Follow what the functions of `nn.init` are given and return, up to the first gradient call."""

    emits = (InitialDropped,)
    observes = tuple(Observe(f"mlx.nn.init.{name}", "_makes", after=True) for name in MAKERS)

    def __init__(self, inspection: Inspection) -> None:
        super().__init__(inspection)
        self._made: list[tuple[Callable[[], Any], Callable[[], Any], str, tuple[str, int]]] = []

    def _makes(self, event: CallEvent) -> None:
        name, initializer = event.function, event.result

        @like(initializer)
        def fill(a: Any, *args: Any, **kwargs: Any) -> Any:
            made = initializer(a, *args, **kwargs)
            if not self.inspection.recorder.gradients and len(self._made) < MOST:
                self._made.append((bound.ref(a), bound.ref(made), name, call_site.calling()))
            return made

        event.result = fill

    def called(self, call: Call) -> None:
        """Tell of parameters that are still what something else was made for, where that is gone."""
        made, self._made = self._made, []
        parameters = {id(one) for one in lazy_graph.leaves(call.parameters)} if made else set()
        dropped: dict[tuple[str, int], list[str]] = {}
        for given, result, name, site in made:
            if result() is None and id(given()) in parameters:
                dropped.setdefault(site, []).append(name)
        for site, names in dropped.items():
            self.inspection.recorder.fact(InitialDropped(function=f"nn.init.{names[0]}", times=len(names)), site)

    called_in_trace = called
