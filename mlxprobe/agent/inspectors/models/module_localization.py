"""In which of a model's modules it happens: the innermost one of the user's that does by itself what the model does."""

from __future__ import annotations

from collections.abc import Callable
from types import FunctionType
from typing import Any

from mlxprobe.agent.graph import lazy_graph
from mlxprobe.agent.inspectors.models.model_calls import Made
from mlxprobe.agent.introspection import call_site
from mlxprobe.agent.introspection.code_ownership import OWN
from mlxprobe.agent.introspection.side_effects import Effects
from mlxprobe.agent.patching.temporary_patches import Loans
from mlxprobe.agent.replay.call import again
from mlxprobe.agent.replay.perturbation import Found, Probe
from mlxprobe.protocol.facts.models import RowsMixed

MOST = 32  # calls of modules
CALL = "__call__"


def heard(made: Made, restart: Callable[[], None]) -> list[Made]:
    """Call a model once more; list the calls of the user's modules in it as they end, the inner ones first."""
    found: list[Made] = []
    kinds = [
        kind for kind in dict.fromkeys(map(type, made.module.modules())) if type(vars(kind).get(CALL)) is FunctionType
    ]
    loans = Loans()
    for kind in [one for one in kinds if call_site.whose_module(one.__module__) == OWN]:
        loans.replace(kind, CALL, lambda original: hearing(original, found, made.effects))
    try:
        again(made.effects, made.function, made.module, *made.args, **made.kwargs)
    finally:
        loans.give_back()
        restart()
    return [one for one in found if one.module is not made.module]


def hearing(original: Any, found: list[Made], effects: Effects | None) -> Callable[..., Any]:
    """Return what notes a call as it ends."""

    def call(module: Any, *args: Any, **kwargs: Any) -> Any:
        output = original(module, *args, **kwargs)
        if len(found) < MOST:
            found.append(Made(module, original, (args, kwargs), output, outer=False))
            found[-1].effects = effects
        return output

    return call


def taking(calls: list[Made], array: Any) -> Made | None:
    """Return the innermost call that was given an array itself."""
    return next(
        (one for one in calls if any(given is array for given in lazy_graph.leaves([one.args, one.kwargs]))), None
    )


def mixing(calls: list[Made], restart: Callable[[], None]) -> Made | None:
    """Return the innermost call whose outputs for a row depend on its place, or on the rows beside it."""
    for one in calls:
        probe = Probe(one.code, one.function, one.module, (one.args, one.kwargs), one.effects)
        rows = probe.rows and probe.begin(restart) and all(shape[:1] == (probe.rows,) for shape in one.shapes)
        found: Found = probe.mixed(shuffled=True, known=True) if rows else {}
        if found.get(RowsMixed):
            return one
    return None
