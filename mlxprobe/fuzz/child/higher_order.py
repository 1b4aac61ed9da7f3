"""Functions that cannot be called with arrays alone: each is taken around something whose numbers are known.

A script of a case shows the text of the function that it needs, so each is short and stands for itself.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from typing import Any

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

WAYS: dict[str, Callable[..., Any]] = {}


def way(name: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Take a function in under a public name of MLX's."""

    def taken(function: Callable[..., Any]) -> Callable[..., Any]:
        WAYS[name] = function
        return function

    return taken


@way("grad")
def gradient(a: Any) -> Any:
    return mx.grad(lambda x: mx.sum(x * mx.sin(x)))(a)


@way("value_and_grad")
def value_and_gradient(a: Any) -> Any:
    return mx.value_and_grad(lambda x: mx.sum(x * mx.sin(x)))(a)


@way("checkpoint")
def checkpointed(a: Any) -> Any:
    return mx.checkpoint(lambda x: x * mx.sin(x))(a)


@way("compile")
def compiled(a: Any) -> Any:
    return mx.compile(lambda x: x * mx.sin(x))(a)


@way("disable_compile")
def uncompiled(a: Any) -> Any:
    mx.disable_compile()
    try:
        return mx.compile(lambda x: x * mx.sin(x))(a)
    finally:
        mx.enable_compile()


@way("empty")
def of_shape(a: Any) -> Any:
    return mx.zeros_like(mx.empty(a.shape, a.dtype))


@way("empty_like")
def of_like(a: Any) -> Any:
    return mx.zeros_like(mx.empty_like(a))


@way("broadcast_shapes")
def common_shape(*shapes: Any) -> Any:
    return mx.array([len(shapes), *mx.broadcast_shapes(*shapes)])


@way("result_type")
def is_type_of_sum(a: Any, b: Any) -> Any:
    return mx.array(mx.result_type(a, b) == (a + b).dtype)


@way("can_cast")
def casts(a: Any, b: Any) -> Any:
    return mx.array(mx.can_cast(a.dtype, b.dtype) == ((a + b).dtype == b.dtype))


@way("issubdtype")
def is_part(a: Any, kind: str) -> Any:
    return mx.array(mx.issubdtype(a.dtype, getattr(mx, kind)))


@way("isdtype")
def is_kind(a: Any, kind: str) -> Any:
    return mx.array(mx.isdtype(a.dtype, kind))


@way("einsum_path")
def contracted(words: str, *arrays: Any) -> Any:
    return mx.array(sum(len(pair) - 1 for pair in mx.einsum_path(words, *arrays)[0]))


@way("export_to_dot")
def drawn_sines(a: Any) -> Any:
    text = io.StringIO()
    mx.export_to_dot(text, mx.sin(mx.sin(a)))
    return mx.array(text.getvalue().count("Sin"))


@way("stream")
def on_a_stream(a: Any) -> Any:
    with mx.stream(mx.new_stream(mx.cpu)):
        return mx.square(a)


@way("set_default_stream")
def on_another_default(a: Any) -> Any:
    before, device = mx.default_stream(mx.cpu), mx.default_device()
    mx.set_default_device(mx.cpu)
    mx.set_default_stream(mx.new_stream(mx.cpu))
    found = mx.square(a)
    mx.eval(found)
    mx.set_default_stream(before)
    mx.set_default_device(device)
    return found


@way("async_eval")
def evaluated_later(a: Any) -> Any:
    found = mx.square(a)
    mx.async_eval(found)
    return found


@way("depends")
def dependent(a: Any) -> Any:
    return mx.depends(a, mx.square(a))


@way("from_dlpack")
def handed_over(a: Any) -> Any:
    return mx.from_dlpack(mx.contiguous(a))


@way("random.seed")
def drawn_again(seed: int, of: Sequence[int]) -> Any:
    mx.random.seed(seed)
    first = mx.random.uniform(shape=of)
    mx.random.seed(seed)
    return first - mx.random.uniform(shape=of)


@way("clear_cache")
def without_cache(a: Any) -> Any:
    mx.eval(mx.square(a))
    mx.clear_cache()
    return [mx.square(a), mx.array(mx.get_cache_memory())]


@way("set_cache_limit")
def with_limits(a: Any) -> Any:
    cache, memory = mx.set_cache_limit(0), mx.get_memory_limit()
    mx.set_memory_limit(memory)
    found = mx.square(a)
    mx.eval(found)
    mx.set_cache_limit(cache)
    return [found, mx.array(mx.get_memory_limit() == memory)]


@way("reset_peak_memory")
def seen_at_its_peak(a: Any) -> Any:
    mx.eval(a)
    mx.reset_peak_memory()
    found = mx.concatenate([mx.square(a).reshape(-1), mx.ones(64)])
    mx.eval(found)
    return mx.array(mx.get_peak_memory() >= found.nbytes)


@way("gather_qmm")
def less_what_it_stands_for(x: Any, w: Any, rows: Any, columns: Any, **how: Any) -> Any:
    packed = mx.quantize(w, **how)
    plain = mx.gather_mm(x, mx.dequantize(*packed, **how).swapaxes(-1, -2), lhs_indices=rows, rhs_indices=columns)
    return mx.gather_qmm(x, *packed, lhs_indices=rows, rhs_indices=columns, transpose=True, **how) - plain


@way("fft.istft")
def there_and_back(a: Any, **how: Any) -> Any:
    return mx.fft.istft(mx.fft.stft(a, **how), length=a.shape[-1], **how)


@way("nn.quantize")
def less_its_dequantized(x: Any, **how: Any) -> Any:
    mx.random.seed(0)
    model = nn.Sequential(nn.Linear(x.shape[-1], 32))
    nn.quantize(model, **how)
    one = model.layers[0]
    plain = mx.dequantize(one.weight, one.scales, one.biases, **how)
    return model(x) - (x @ plain.T + one.bias)


@way("nn.fully_shard")
def less_unsharded(x: Any) -> Any:
    mx.random.seed(0)
    linear = nn.Linear(x.shape[-1], 4)
    plain = linear(x)
    return plain - nn.fully_shard(linear)(x)


@way("nn.FullyShardedModule")
def less_unwrapped(x: Any) -> Any:
    mx.random.seed(0)
    linear = nn.Linear(x.shape[-1], 4)
    plain = linear(x)
    return plain - nn.FullyShardedModule(linear)(x)


@way("nn.average_gradients")
def averaged_alone(a: Any, b: Any) -> Any:
    found = nn.average_gradients({"a": a, "b": b})
    return [found["a"], found["b"]]


@way("optimizers.MultiOptimizer")
def less_two_apart(a: Any, b: Any, grad: Any) -> Any:
    both = optim.MultiOptimizer([optim.Adam(0.1), optim.SGD(0.1)], [lambda name, _: name == "a"])
    found = both.apply_gradients({"a": grad, "b": grad}, {"a": a, "b": b})
    first = optim.Adam(0.1).apply_gradients({"a": grad}, {"a": a})["a"]
    return [found["a"] - first, found["b"] - optim.SGD(0.1).apply_gradients({"b": grad}, {"b": b})["b"]]
