"""Call an adapter's layer with factors that are made up: whether it adds their product to its base, and how scaled."""

from __future__ import annotations

import copy
from typing import Any

from mlxprobe.agent.introspection.lora_detection import Adapter, named_scales, readings, spaces
from mlxprobe.agent.introspection.trees import put
from mlxprobe.agent.patching.interrupts import let_through
from mlxprobe.agent.recording.call_context import Nesting
from mlxprobe.agent.replay.sandbox import Sandbox, in_evaluation

ROWS = 4
NEAR = 0.02  # of the adapter's own part


def adds(adapter: Adapter, nesting: Nesting) -> float | None:
    """Return the scale with which a layer adds the product to its base; None where it does something else with them.

    What such a layer puts out depends on the base and its factors through their weighted sum alone, with a magnitude
    behind it (DoRA) too. The factors are made up for it, and everything is put back.
    """
    import mlx.core as mx

    keys = mx.random.split(mx.random.key(0), 3)
    left, right, x = (mx.random.normal(shape, key=key) for shape, key in zip(_shapes(adapter), keys, strict=True))
    for given in (x, mx.arange(ROWS)):
        sandbox = Sandbox(nesting, adapter.holder)
        try:
            found: float | None = sandbox.run(_scale, sandbox, adapter, left, right, given)
        except Exception as error:  # a layer that takes other arguments: ids, or more than one
            let_through(error)
        else:
            return found
    return None


def _shapes(adapter: Adapter) -> tuple[tuple[int, ...], ...]:
    return adapter.left.shape, adapter.right.shape, (ROWS, adapter.base.shape[-1])


def _scale(sandbox: Sandbox, adapter: Adapter, left: Any, right: Any, x: Any) -> float | None:
    import mlx.core as mx

    in_evaluation(adapter.holder)
    weight, none = adapter.base.array, mx.zeros_like(left)
    plain = _output(sandbox, adapter, x, weight, none, right)
    own = _output(sandbox, adapter, x, weight, left, right) - plain
    most = float(mx.abs(own).max())
    for delta in adapter.deltas(left, right):
        if adapter.base.packed:
            return _ratio(own, x @ delta.T if x.ndim > 1 else delta[x])
        once = _output(sandbox, adapter, x, weight + delta.astype(weight.dtype), none, right) - plain
        said = sorted(readings(named_scales(spaces(adapter.holder)), adapter.rank))
        for scale in [*said, _regressed(own, once)]:
            moved = _output(sandbox, adapter, x, weight + (scale * delta).astype(weight.dtype), none, right)
            if most > 0 and float(mx.abs(moved - plain - own).max()) <= NEAR * most:
                return scale
    return None


def _ratio(own: Any, product: Any) -> float | None:
    """Return by what one array is a multiple of another; None where it is none."""
    import mlx.core as mx

    scale = _regressed(own, product)
    return scale if float(mx.abs(own - scale * product).max()) <= NEAR * float(mx.abs(own).max()) else None


def _regressed(own: Any, product: Any) -> float:
    return round(float((own * product).sum() / (product * product).sum()), 6)


def _output(sandbox: Sandbox, adapter: Adapter, x: Any, *arrays: Any) -> Any:
    for matrix, array in zip((adapter.base, *adapter.factors), arrays, strict=True):
        put(matrix.owner, matrix.key, array.astype(matrix.array.dtype))
    return sandbox.call(adapter.holder, copy.copy(x)).astype(_float32())


def _float32() -> Any:
    import mlx.core as mx

    return mx.float32
