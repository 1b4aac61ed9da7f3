"""In which of a model's modules it happens: the innermost one of the user's that does by itself what the model does."""

from __future__ import annotations

from collections.abc import Callable
from types import FunctionType
from typing import Any

from mlxprobe.agent.graph import lazy_graph
from mlxprobe.agent.inspectors.models.model_calls import Made
from mlxprobe.agent.introspection import call_site
from mlxprobe.agent.introspection.code_ownership import OWN
from mlxprobe.agent.introspection.trees import lent
from mlxprobe.agent.patching.temporary_patches import Loans
from mlxprobe.agent.replay.perturbation import Found, Probe
from mlxprobe.agent.replay.sandbox import Sandbox
from mlxprobe.protocol.facts.models import RowsMixed

MOST = 32  # calls of modules
CALL = "__call__"


def heard(made: Made, sandbox: Sandbox, array: Any) -> tuple[list[Made], Any]:
    """Call a model once more; list the calls of the user's modules in it as they end, the inner ones first.

    Return the handle that stood for one of its inputs as well.
    """
    found: list[Made] = []
    kinds = [
        kind for kind in dict.fromkeys(map(type, made.module.modules())) if type(vars(kind).get(CALL)) is FunctionType
    ]
    loans = Loans()
    for kind in [one for one in kinds if call_site.whose_module(one.__module__) == OWN]:
        loans.replace(kind, CALL, lambda original: hearing(original, found))
    given = [made.args, made.kwargs]
    args, kwargs = lent(given)
    handles = zip(lazy_graph.leaves(given), lazy_graph.leaves([args, kwargs]), strict=True)
    try:
        sandbox.call(made.function, made.module, *args, **kwargs)
    finally:
        loans.give_back()
        sandbox.restart()
    return [one for one in found if one.module is not made.module], next((b for a, b in handles if a is array), None)


def hearing(original: Any, found: list[Made]) -> Callable[..., Any]:
    """Return what notes a call as it ends."""

    def call(module: Any, *args: Any, **kwargs: Any) -> Any:
        output = original(module, *args, **kwargs)
        if len(found) < MOST:
            found.append(Made(module, original, (args, kwargs), output, outer=False))
        return output

    return call


def taking(calls: list[Made], array: Any) -> Made | None:
    """Return the innermost call that was given an array itself."""
    return next(
        (one for one in calls if any(given is array for given in lazy_graph.leaves([one.args, one.kwargs]))), None
    )


def mixing(calls: list[Made], sandbox: Sandbox) -> Made | None:
    """Return the innermost call whose outputs for a row depend on its place, or on the rows beside it."""
    for one in calls:
        probe = Probe(one.code, one.function, one.module, (one.args, one.kwargs), sandbox)
        rows = probe.rows and probe.begin() and all(shape[:1] == (probe.rows,) for shape in one.shapes)
        found: Found = probe.mixed(shuffled=True, known=True) if rows else {}
        if found.get(RowsMixed):
            return one
    return None
