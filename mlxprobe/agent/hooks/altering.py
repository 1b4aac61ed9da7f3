"""Functions of MLX's as interventions have them: each takes whatever the one that it wraps does."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from typing import Any

from mlxprobe.agent.hooks import alterations
from mlxprobe.agent.patching import static
from mlxprobe.agent.patching.bound_arguments import Given
from mlxprobe.agent.patching.signatures import like


def in_training(model: Any, call: Callable[..., Any]) -> Callable[..., Any]:
    """Put a model into training mode before each call."""

    @functools.wraps(call)
    def gradients(*args: Any, **kwargs: Any) -> Any:
        model.train()
        return call(*args, **kwargs)

    return gradients


def capturing(original: Callable[..., Any]) -> Callable[..., Any]:
    """Let `mx.compile` know of the random state; MLX's own functions are compiled as they are."""
    given = Given(original, "inputs", "outputs", "fun")

    @like(original)
    def compiled(*args: Any, **kwargs: Any) -> Any:
        inputs, outputs, fun = given(args, kwargs)
        if not static.whence(fun).startswith("mlx."):
            states = (alterations.with_random_state(sys.modules["mlx.core"], one) for one in (inputs, outputs))
            args, kwargs = given.put(args, kwargs, *states)
        return original(*args, **kwargs)

    return compiled


def attending(original: Callable[..., Any]) -> Callable[..., Any]:
    """Let attention of a sequence to itself see nothing that comes later."""
    given = Given(original, "q", "k")

    @like(original)
    def scaled_dot_product_attention(*args: Any, **kwargs: Any) -> Any:
        queries, keys = given(args, kwargs)
        mask = alterations.causal(sys.modules["mlx.core"], queries, keys, kwargs.get("mask"))
        return original(*args, **{**kwargs, "mask": mask})

    return scaled_dot_product_attention


def as_it_is(fun: Callable[..., Any], *_: Any, **__: Any) -> Callable[..., Any]:
    """Leave a function uncompiled; to the hooks its steps are like any others."""
    return fun
