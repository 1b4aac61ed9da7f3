"""Take the gradient of a tape, operation by operation, up to the first that makes it not finite."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from mlxprobe.agent.graph import lazy_graph
from mlxprobe.agent.nan_origin.tape import Operation, Tape, mapped, state_of
from mlxprobe.agent.patching.interrupts import let_through

CUTS = {"stop_gradient", "argmax", "argmin", "argsort", "isnan", "isfinite", "isinf", "greater", "less", "equal"}


class Broken:
    """The operation whose gradient is not finite, though what comes in from behind it is; `largest` of that."""

    def __init__(self, operation: Operation, largest: float, kind: str) -> None:
        self.operation = operation
        self.largest = largest
        self.kind = kind


def first_broken(tape: Tape, loss: int, parameters: Iterable[int], tick: Callable[[], None]) -> Broken | None:
    """Return the first operation, from the loss on, that gives a gradient that is not finite to what is trained."""
    import mlx.core as mx

    wanted = reached(tape, parameters)
    coming: dict[int, Any] = {loss: mx.ones_like(tape.values[loss])}
    for operation in reversed(tape.operations):
        outputs = [one for one in operation.outputs if one in coming]
        if not outputs or operation.name in CUTS or operation.given is None:
            continue
        tick()
        incoming = {one: coming.pop(one) for one in outputs}
        for number, gradient in pulled_back(tape, operation, incoming, wanted):
            if state := state_of(gradient):
                return Broken(operation, max(map(lazy_graph.largest, incoming.values())), state)
            total = coming[number] + gradient if number in coming else gradient
            if state := state_of(total):
                return Broken(operation, lazy_graph.largest(gradient), state)
            coming[number] = total
    return None


def reached(tape: Tape, parameters: Iterable[int]) -> set[int]:
    """Return the numbers of all floating-point values that depend on the parameters."""
    import mlx.core as mx

    found = set(parameters)
    for operation in tape.operations:
        if operation.name not in CUTS and found.intersection(operation.inputs):
            found.update(
                one
                for one in operation.outputs
                if one in tape.values and mx.issubdtype(tape.values[one].dtype, mx.floating)
            )
    return found


def pulled_back(tape: Tape, operation: Operation, incoming: dict[int, Any], wanted: set[int]) -> list[tuple[int, Any]]:
    """Return the gradients of an operation's operands, by their numbers."""
    import mlx.core as mx

    assert operation.given is not None
    arrays = lazy_graph.leaves(list(operation.given))
    chosen = [k for k, number in enumerate(operation.inputs) if number in wanted]
    if not chosen:
        return []

    def again(*primals: Any) -> list[Any]:
        every = list(arrays)
        for k, one in zip(chosen, primals, strict=True):
            every[k] = one
        waiting = iter(every)
        args, kwargs = mapped(list(operation.given or ()), lambda _: next(waiting))
        result = operation.function(*args, **kwargs)
        results = lazy_graph.leaves(list(result) if isinstance(result, (list, tuple)) else [result])
        return [one for one, number in zip(results, operation.outputs, strict=True) if number in incoming]

    primals = [arrays[k] for k in chosen]
    with_values = [incoming[number] for number in operation.outputs if number in incoming]
    try:
        _, gradients = mx.vjp(again, primals, with_values)
    except (ValueError, RuntimeError) as error:  # an operation without a gradient
        let_through(error)
        return []
    return [(operation.inputs[k], one) for k, one in zip(chosen, gradients, strict=True)]
