"""Which of a model's modules lets earlier outputs see later inputs: the innermost one of the user's."""

from __future__ import annotations

from collections.abc import Callable
from types import FunctionType
from typing import Any

from mlxprobe.agent.graph import lazy_graph
from mlxprobe.agent.introspection import blame, call_site
from mlxprobe.agent.introspection.code_ownership import OWN
from mlxprobe.agent.introspection.trees import is_array, lent
from mlxprobe.agent.patching.signatures import like
from mlxprobe.agent.patching.temporary_patches import Loans
from mlxprobe.agent.replay.sandbox import Sandbox

MOST = 64  # calls of modules
SEQUENCE = 3  # axes: rows, places, channels
LEAK = 1e-3  # of the change at the changed places themselves
SEED = 0x5EED
CALL = "__call__"

Heard = tuple[Any, Callable[..., Any], Any, Any, Any]  # a module, its function, what it was given, and its output


def innermost(made: Any, sandbox: Sandbox) -> call_site.Site:
    """Return where the first module ends whose outputs change with what comes after them; else where the model does.

    What a module is given beside the sequence is left as it is.
    """
    heard: list[Heard] = []
    loans, (args, kwargs) = listen(made.module, heard), lent([made.args, made.kwargs])
    try:
        sandbox.call(made.function, made.module, *args, **kwargs)
    finally:
        loans.give_back()
    for one in heard:
        sandbox.restart()
        if leaks(one, sandbox):
            return blame.result_of(blame.unwrapped(one[1])[0], one[0])
    plain = blame.unwrapped(made.function)[0]
    return (
        blame.result_of(plain, made.module) if call_site.whose(plain.__code__.co_filename) == OWN else call_site.NOWHERE
    )


def listen(model: Any, heard: list[Heard]) -> Loans:
    """Wrap the user's own modules for one forward pass; they are heard as they end, the inner ones first."""
    loans = Loans()
    for kind in dict.fromkeys(map(type, model.modules())):
        original = vars(kind).get(CALL)
        plain = blame.unwrapped(original)[0] if isinstance(original, FunctionType) else None
        if plain is not None and call_site.whose(plain.__code__.co_filename) == OWN:
            loans.replace(kind, CALL, lambda one: hearing(one, heard))
    return loans


def hearing(original: Any, heard: list[Heard]) -> Callable[..., Any]:
    """Return what notes a call of a sequence to a sequence."""

    @like(original)
    def call(*arguments: Any, **kwargs: Any) -> Any:
        output = original(*arguments, **kwargs)
        if len(arguments) < 2:  # what is given by its name is no sequence that we know
            return output
        module, x, *args = arguments
        both = is_array(x) and is_array(output) and x.ndim == output.ndim == SEQUENCE
        if both and x.shape[:2] == output.shape[:2] and x.shape[1] > 2 and len(heard) < MOST:
            heard.append((module, original, x, (args, kwargs), output))
        return output

    return call


def leaks(heard: Heard, sandbox: Sandbox) -> bool:
    """Tell whether the first half of a module's outputs changes with the second half of its inputs."""
    import mlx.core as mx

    module, function, x, (args, kwargs), output = heard
    half = x.shape[1] // 2
    later = (mx.arange(x.shape[1]) >= half)[None, :, None]
    noise = mx.random.normal(x.shape, key=mx.random.key(SEED)).astype(x.dtype)
    same = sandbox.call(function, module, x, *args, **kwargs)
    sandbox.restart()
    change = mx.abs(sandbox.call(function, module, mx.where(later, noise, x), *args, **kwargs) - same)
    before, after = (lazy_graph.largest(part) for part in (change[:, :half], change[:, half:]))
    return lazy_graph.largest(mx.abs(same - output)) == 0 and before > LEAK * after > 0
