"""What interventions make of gradients, arguments, masks and states: no hook in here."""

from __future__ import annotations

from typing import Any

from mlxprobe.agent.patching import static
from mlxprobe.agent.patching.interrupts import Quietly

FACTORS = {"lora_a", "lora_b", "m"}  # as mlx_lm names them; `m` is DoRA's magnitude
TENTH = 0.1


def scaled(tree: Any, factor: float) -> Any:
    """Return a tree of arrays times a factor."""
    from mlx.utils import tree_map

    return tree_map(lambda one: one * factor, tree)


def unchanged(gradients: Any, parameters: Any) -> Any:
    """Return the parameters that gradients are of."""
    from mlx.utils import tree_map

    return tree_map(lambda _, one: one, gradients, parameters)


def clipped(gradients: Any, max_norm: float) -> Any:
    """Return gradients whose norm is at most `max_norm`."""
    from mlx.optimizers import clip_grad_norm

    return clip_grad_norm(gradients, max_norm)[0]


def adapters_alone(gradients: Any) -> Any:
    """Return the gradients of LoRA's factors; all where there is no factor."""
    from mlx.utils import tree_flatten, tree_unflatten

    flat = dict(tree_flatten(gradients))
    adapted = {path.rpartition(".")[0] for path in flat if path.rpartition(".")[2] in ("lora_a", "lora_b")}
    kept = [
        (path, one)
        for path, one in flat.items()
        if path.rpartition(".")[0] in adapted and path.rpartition(".")[2] in FACTORS
    ]
    return tree_unflatten(kept) if kept else gradients


def single_precision(tree: Any) -> Any:
    """Return a tree whose arrays of half precision are float32; modules are cast in place."""
    import mlx.core as mx

    if static.is_module(tree):
        if any(one.dtype in (mx.float16, mx.bfloat16) for one in _leaves(tree)):
            tree.set_dtype(mx.float32)
        return tree
    if static.is_array(tree):
        return tree.astype(mx.float32) if tree.dtype in (mx.float16, mx.bfloat16) else tree
    if type(tree) in (list, tuple):
        return type(tree)(single_precision(one) for one in tree)
    return {key: single_precision(one) for key, one in tree.items()} if type(tree) is dict else tree


def _leaves(tree: Any) -> list[Any]:
    from mlx.utils import tree_flatten

    return [one for _, one in tree_flatten(tree.parameters())]


def causal(mx: Any, queries: Any, keys: Any, mask: Any) -> Any:
    """Return a mask that is causal besides what it was; as it was where queries and keys are not of one sequence."""
    length = queries.shape[-2]
    if length != keys.shape[-2] or length < 2 or static.is_a(mask, str):
        return mask
    if mask is None:
        return "causal"
    allowed = mx.tri(length, dtype=mx.bool_)
    return mx.logical_and(mask, allowed) if mask.dtype == mx.bool_ else mx.where(allowed, mask, -float("inf"))


def with_random_state(mx: Any, given: Any) -> list[Any]:
    """Return a compiled function's inputs or outputs with the random state among them."""
    state, known = mx.random.state, given if static.is_a(given, (list, tuple)) else ()
    if given is None:
        return [state]
    return given if any(one is state for one in known) else [given, state]


def evaluate(mx: Any, *trees: Any) -> None:
    """Evaluate, unless a transformation such as compilation is being traced, where nothing can be."""
    with Quietly(ValueError, RuntimeError):
        mx.eval(*trees)
