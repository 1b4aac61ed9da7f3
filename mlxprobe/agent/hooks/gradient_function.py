"""Gradient functions: what each was made of, and how to find those that were made before anybody looked."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from types import CodeType, FunctionType
from typing import Any

from mlxprobe.agent.introspection import call_site
from mlxprobe.agent.patching import static
from mlxprobe.agent.patching.signatures import described
from mlxprobe.agent.recording.gradient_call import Call

Bound = tuple[Any, Callable[..., Any]] | None  # the model, and the function that `nn.value_and_grad` was given
UNKNOWN = -1  # number of a function's losses
HELD = "value_grad_fn"  # as `nn.value_and_grad` names the function that it returns a closure of


class Made:
    """A gradient function: what it was made of, and what is known of its calls."""

    def __init__(
        self,
        function: Any,
        with_value: bool,
        describe: Callable[..., dict[str, Any]],
        bound: Bound,
        *,
        held: bool = True,
        site: call_site.Site = call_site.NOWHERE,
    ) -> None:
        self.function = function
        self.with_value = with_value
        self.describe = describe
        self.bound = bound
        self.held = held
        self.site = site  # where `nn.value_and_grad` was called
        self.told: Any = None  # who was there at the last call
        self.holder: Any = None  # of its calls (see `origin.calls`)
        self.calls = 0
        self.owns = False  # its losses, which else are those of the first function of no model, or of a model
        self.stream = UNKNOWN
        self.scalar: Any = ()  # the class of what it returned, where that was a loss
        self.followed: Any = None  # what is known of the parameters (see `record.moves`)
        self.given: Any = None  # they themselves, while a call lasts

    @property
    def owner(self) -> Any:
        """Whose its losses are: the model's, its own, or those of nobody known."""
        return self.bound[0] if self.bound else self if self.owns else None

    def taken(self, args: Any, kwargs: Any) -> dict[str, Any]:
        """Return what the gradient is taken of."""
        return {"": args[0]} if self.bound else self.describe(args, kwargs, taken=True)

    def described(self, result: Any, args: Any, kwargs: Any) -> Call:
        """Put together what the inspectors are told of a call."""
        made = _described(result if self.with_value else (None, result), self.describe, self.bound, args, kwargs)
        made.function = self.bound[1] if self.bound else self.function
        made.given = None if self.bound else (args, kwargs)
        made.made_at = self.site
        return made


def _described(
    result: tuple[Any, Any], describe: Callable[..., dict[str, Any]], bound: Bound, args: Any, kwargs: Any
) -> Call:
    """Put together what the inspectors are told of a gradient call."""
    parameters = describe(args, kwargs, taken=True)
    if bound:
        describe, args = described(bound[1], ()), args[1:]
    value, gradients = result
    loss = static.first(value)
    return Call(
        model=bound[0] if bound else None,
        parameters=parameters,
        data=describe(args, kwargs),
        loss=loss,
        gradients=gradients,
        site=call_site.calling(),
    )


def made_by(maker: Any) -> Iterator[FunctionType]:
    """List the functions that `nn.value_and_grad` has made and somebody keeps; none of a release that makes others."""
    while hasattr(maker, "__wrapped__"):
        maker = maker.__wrapped__
    consts = maker.__code__.co_consts if static.is_a(maker, FunctionType) else ()
    for code in [one for one in consts if static.is_a(one, CodeType)]:
        if {HELD, "model"} <= set(code.co_freevars):
            every = [one for one in gc.get_objects() if type(one) is FunctionType]
            yield from (one for one in every if one.__code__ is code and "__wrapped__" in vars(one))


def unwrapped(function: Any) -> Callable[..., Any]:
    """Return the function that another one was made of."""
    found: Callable[..., Any] = function.__wrapped__
    return found


def with_parameters(model: Any, fn: Callable[..., Any]) -> Callable[..., Any]:
    """Return what MLX takes the gradient of: a function of the parameters."""

    def inner(params: Any, *args: Any, **kwargs: Any) -> Any:
        model.update(params)
        return fn(*args, **kwargs)

    return inner
