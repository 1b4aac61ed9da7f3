"""Why an operation's result, or its gradient, is not finite: by what it was given."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from mlxprobe.agent.graph import lazy_graph
from mlxprobe.agent.nan_origin.tape import INFINITE, NAN, Operation, Tape, mapped
from mlxprobe.agent.patching import static
from mlxprobe.agent.patching.interrupts import let_through

Told = dict[str, Any]
HALVES = ("float16", "bfloat16")
DIVISIONS = {"truediv", "divide", "rtruediv", "itruediv", "reciprocal"}
LOGARITHMS = {"log", "log2", "log10", "log1p"}
POWERS = {"pow", "power", "rpow", "ipow"}
ATTENTION, FLOATS = "scaled_dot_product_attention", {"float16", "bfloat16", "float32"}
ROWS = {"softmax", "logsumexp", "scaled_dot_product_attention"}
INVERSES = {"arccos", "arcsin", "acos", "asin", "arctanh", "atanh", "erfinv", "arccosh", "acosh"}
SAME_VALUES = {"astype", "reshape", "squeeze", "expand_dims", "broadcast_to", "flatten", "transpose", "getitem", "view"}
MADE = {"full", "where", "array", "full_like", "tri", "triu", "tril", "getitem", "add", "setitem"}


def forward(tape: Tape, broken: int) -> tuple[Operation | None, int, Told]:
    """Follow a value that is not finite back to where it arose; without an operation it was given so, by number."""
    number = broken
    while (operation := tape.producer.get(number)) is not None and operation.given is not None:
        worse = [one for one in flowing(tape, operation) if tape.states[one] == tape.states[number] == NAN]
        infinite = [one for one in flowing(tape, operation) if tape.states[one] == INFINITE]
        if worse or (infinite and tape.states[number] == INFINITE):
            number = (worse or infinite)[0]
            continue
        if not infinite or rows_of_minus_infinity(tape, operation):
            break
        first, origin = forward(tape, infinite[0])[:2]
        if first is None or first.name in MADE:  # an infinity that somebody has written down
            break
        number = origin
    operation = tape.producer.get(number)
    return operation, number, {} if operation is None else explained(tape, operation, number)


def flowing(tape: Tape, operation: Operation) -> list[int]:
    """List the operands that are not finite where the operation takes them; `where` leaves some out."""
    import mlx.core as mx

    bad = [one for one in operation.inputs if tape.states[one]]
    if operation.name != "where" or operation.given is None or not bad:
        return bad
    condition, *branches = [mx.array(one) for one in (*operation.given[0], *operation.given[1].values())][:3]
    taken = []
    for branch, selects in zip(branches, (condition, mx.logical_not(condition)), strict=True):
        taken.append(bool(mx.any(mx.logical_and(mx.logical_not(mx.isfinite(branch)), selects)).item()))
    numbers = operation.inputs[-len(branches) :]
    return [one for one in bad if one not in numbers or len(operation.inputs) < 3 or taken[numbers.index(one)]]


def explained(tape: Tape, operation: Operation, number: int) -> Told:
    """Say why the result of an operation is not finite."""
    told: Told = {"op": operation.name}
    if operation.given is None:
        return told | {"kind": "unknown", "largest": math.nan}
    operands = list(values(operation))
    found = next((one for one in _forward_kinds(tape, operation, operands) if one), None) or {"kind": "unknown"}
    return told | {"largest": largest(operands)} | found


def _forward_kinds(tape: Tape, operation: Operation, operands: list[Any]) -> Iterator[Told]:
    name = operation.name
    if name in ("mean", "var", "std", "median") and operands and not operands[0].size:
        yield {"kind": "mean of nothing"}
    if rows_of_minus_infinity(tape, operation):
        yield {"kind": "rows of -inf"}
    if name in DIVISIONS:
        yield _division(tape, operation, operands)
    if name in LOGARITHMS:
        yield counted("log of zero", operands[0], -1.0 if name == "log1p" else 0.0)
        yield {"kind": "log of negative", **below(operands[0])}
    if name in ("sqrt", "rsqrt"):
        yield counted("root of zero", operands[0], 0.0) if name == "rsqrt" else {}
        yield {"kind": "root of negative", **below(operands[0])}
    if name in POWERS:
        yield {"kind": "power"} if len(operands) and lowest(operands[0]) <= 0 and not is_whole(operands[-1]) else {}
    if name in INVERSES:
        yield {"kind": "outside"}
    yield _overflow(tape, operation, operands)
    if name in ("sub", "add", "rsub", "isub", "iadd", "radd", "subtract") and any(map(has_infinity, operands)):
        yield {"kind": "inf minus inf"}
    if any(map(has_infinity, operands)):
        yield {"kind": "zero by inf"}


def _division(tape: Tape, operation: Operation, operands: list[Any]) -> Told:
    below_line = 0 if operation.name in ("rtruediv", "reciprocal") else 1
    denominator = operands[below_line] if below_line < len(operands) else None
    if denominator is None or (found := counted("division by zero", denominator, 0.0)) == {}:
        return {}
    if operation.name != "reciprocal" and is_zero_there(operands[1 - below_line], denominator):
        found["kind"] = "zero by zero"
        arrays = [k for k, one in enumerate(arguments(operation)) if is_array(one)]
        if below_line in arrays and counts_a_mask(tape, operation.inputs[arrays.index(below_line)]):
            found["kind"] = "empty mask"
    return found


def _overflow(tape: Tape, operation: Operation, operands: list[Any]) -> Told:
    """Tell of finite operands whose result is beyond the type's range, with the value where a wider type has it."""
    outputs = [tape.values.get(one) for one in operation.outputs]
    kind = next((str(one.dtype).rpartition(".")[2] for one in outputs if one is not None), "")
    if any(map(has_infinity, operands)) or not any(tape.states[one] for one in operation.outputs):
        return {}
    if operation.name == "astype":
        return {"kind": "overflow", "dtype": kind, "value": largest(operands)}
    if kind in HALVES and (wide := widened(operation)) is not None and math.isfinite(wide):
        return {"kind": "overflow", "dtype": kind, "value": wide}
    grows = operation.name in ("exp", "expm1", "matmul")
    if operation.name == ATTENTION:  # a softmax of products: NaN where one of these is infinite
        import mlx.core as mx

        grows = kind in FLOATS and largest(operands) ** 2 > mx.finfo(getattr(mx, kind)).max
    if grows or all(tape.states[one] == INFINITE for one in operation.outputs):
        return {"kind": "overflow", "dtype": kind, "value": math.inf}
    return {}


def backward(tape: Tape, operation: Operation, incoming: float) -> tuple[Operation, Told]:
    """Say why the gradient of an operation is not finite; where its own result is not, that is where it began."""
    hidden = any(tape.states[one] for one in [*operation.outputs, *operation.inputs])
    if bad := next((one for one in [*operation.inputs, *operation.outputs] if tape.states[one]), None):
        origin, _, told = forward(tape, bad)
        if origin is not None and origin.name not in MADE:
            return origin, told | {"hidden": True}
    told = {"op": operation.name, "hidden": hidden, "incoming": incoming}
    operands = list(values(operation))
    found = next((one for one in _backward_kinds(operation, operands) if one), None) or {"kind": "unknown"}
    return operation, told | {"largest": largest(operands)} | found


def _backward_kinds(operation: Operation, operands: list[Any]) -> Iterator[Told]:
    name = operation.name
    if name in ("sqrt", "rsqrt"):
        yield counted("root at zero", operands[0], 0.0)
    if name == "norm":
        yield {"kind": "norm at zero"} if lowest(abs(operands[0])) == 0 else {}
    if name == "std":
        yield {"kind": "deviation at zero"}
    if name in POWERS:
        yield counted("power at zero", operands[0], 0.0)
    if name in LOGARITHMS:
        yield counted("log of zero", operands[0], 0.0)
    if name in DIVISIONS:
        yield counted("division by zero", operands[-1], 0.0)
    if name in INVERSES:
        yield {"kind": "inverse at its edge"}
    kinds = {str(one.dtype).rpartition(".")[2] for one in operands if static.is_array(one)}
    for half in HALVES:
        if half in kinds:
            yield {"kind": "gradient overflow", "dtype": half}


def rows_of_minus_infinity(tape: Tape, operation: Operation) -> bool:
    """Tell whether a softmax, or what is built like one, is given a row with nothing but -inf in it."""
    import mlx.core as mx

    if operation.given is None:
        return False
    arrays = lazy_graph.leaves(list(operation.given))
    if operation.name in ("sub", "subtract") and len(operation.inputs) == 2:
        source = tape.producer.get(operation.inputs[1])
        while source is not None and source.name in SAME_VALUES | {"stop_gradient"}:
            source = tape.producer.get(source.inputs[0])
        top = source is not None and source.name in ("max", "logsumexp")
        return top and bool(mx.any(arrays[1] == -math.inf).item())
    if operation.name not in ROWS:
        return False
    if operation.name == "scaled_dot_product_attention":
        masks = [one for one in arrays[3:] if one.ndim >= 2]
        empty = [mx.all(one == -math.inf if one.dtype != mx.bool_ else mx.logical_not(one), axis=-1) for one in masks]
        return any(bool(mx.any(one).item()) for one in empty)
    axis = operation.given[0][1] if len(operation.given[0]) > 1 else operation.given[1].get("axis")
    return bool(mx.any(mx.max(arrays[0], axis=axis) == -math.inf).item())


def counts_a_mask(tape: Tape, number: int) -> bool:
    """Tell whether a value is the sum of nothing but zeros and ones."""
    import mlx.core as mx

    source = tape.producer.get(number)
    while source is not None and source.name in SAME_VALUES:
        source = tape.producer.get(source.inputs[0])
    if source is None or source.name != "sum":
        return False
    mask = tape.values.get(source.inputs[0])
    if mask is None:
        return False
    return bool(mx.all(mx.logical_or(mask == 0, mask == 1)).item())


def arguments(operation: Operation) -> list[Any]:
    """List the operands as they stand in the call."""
    assert operation.given is not None
    return [*operation.given[0], *operation.given[1].values()]


def is_array(one: Any) -> bool:
    """Tell whether an operand is an array."""
    return static.is_array(one)


def values(operation: Operation) -> Iterator[Any]:
    """List the operands that have values, in order; numbers become arrays."""
    import mlx.core as mx

    for one in arguments(operation) if operation.given is not None else ():
        if is_array(one):
            yield one
        elif static.is_a(one, (int, float)) and not static.is_a(one, bool):
            yield mx.array(float(one))
        elif static.is_a(one, (list, tuple)):
            yield from (part for part in one if is_array(part))


def widened(operation: Operation) -> float | None:
    """Return the largest value that an operation has in float32; None where it cannot be had so."""
    import mlx.core as mx

    def widen(one: Any) -> Any:
        return one.astype(mx.float32) if str(one.dtype).rpartition(".")[2] in HALVES else one

    try:
        args, kwargs = mapped(list(operation.given or ()), widen)
        found = operation.function(*args, **kwargs)
        return lazy_graph.largest(found if is_array(found) else found[0])
    except (ValueError, TypeError, RuntimeError) as error:
        let_through(error)
        return None


def counted(kind: str, array: Any, value: float) -> Told:
    """Tell how many elements have a value; nothing where none has."""
    import mlx.core as mx

    found = int(mx.sum(array == value).item())
    return {"kind": kind, "elements": found, "of": int(array.size)} if found else {}


def below(array: Any) -> Told:
    """Tell of the lowest value."""
    return {"lowest": lowest(array)}


def lowest(array: Any) -> float:
    """Return the lowest value of an array."""
    import mlx.core as mx

    return lazy_graph.number(mx.min(array)) if array.size else math.inf


def is_whole(array: Any) -> bool:
    """Tell whether all numbers are whole and none is negative: any base may be raised to such."""
    import mlx.core as mx

    return array.size > 0 and bool(mx.all(mx.logical_and(mx.floor(array) == array, array >= 0)).item())


def largest(operands: list[Any]) -> float:
    """Return the largest absolute value that is finite among arrays."""
    import mlx.core as mx

    floats = [one for one in operands if one.size and mx.issubdtype(one.dtype, mx.floating)]
    sizes = [mx.max(mx.where(mx.isfinite(one), mx.abs(one), 0)) for one in floats]
    return max(map(lazy_graph.number, sizes), default=0.0)


def has_infinity(array: Any) -> bool:
    """Tell whether an array holds an infinity."""
    import mlx.core as mx

    return bool(mx.any(mx.isinf(array)).item())


def is_zero_there(numerator: Any, denominator: Any) -> bool:
    """Tell whether the numerator is zero wherever the denominator is, if anywhere."""
    import mlx.core as mx

    return bool(mx.any(mx.logical_and(numerator == 0, denominator == 0)).item())
