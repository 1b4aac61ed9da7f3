"""Functions that take more than arrays, each applied to something whose result is known.

A script of a case shows the text of its function, so each is short and stands for itself.
"""

from __future__ import annotations

import io
import tempfile
from collections.abc import Callable, Sequence
from typing import Any

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim


def reread(name: str, write: Callable[[str], Any], read: Callable[[str], Any] = mx.load) -> Any:
    with tempfile.TemporaryDirectory() as folder:
        write(f"{folder}/{name}")
        found = read(f"{folder}/{name}")
        mx.eval(found)
    return found


def exported_twice(a: Any) -> Any:
    with tempfile.TemporaryDirectory() as folder:
        with mx.exporter(f"{folder}/f.mlxfn", lambda x: x * mx.sin(x)) as traced:
            traced(a)
            traced(mx.stack([a, a]))
        found = mx.import_function(f"{folder}/f.mlxfn")(a)
        mx.eval(found)
    return found


def uncompiled(a: Any) -> Any:
    mx.disable_compile()
    try:
        return mx.compile(lambda x: x * mx.sin(x))(a)
    finally:
        mx.enable_compile()


def sines_in_graph(a: Any) -> Any:
    text = io.StringIO()
    mx.export_to_dot(text, mx.sin(mx.sin(a)))
    return mx.array(text.getvalue().count("Sin"))


def on_new_stream(a: Any) -> Any:
    with mx.stream(mx.new_stream(mx.cpu)):
        return mx.square(a)


def on_new_default_stream(a: Any) -> Any:
    before, device = mx.default_stream(mx.cpu), mx.default_device()
    mx.set_default_device(mx.cpu)
    mx.set_default_stream(mx.new_stream(mx.cpu))
    found = mx.square(a)
    mx.eval(found)
    mx.set_default_stream(before)
    mx.set_default_device(device)
    return found


def evaluated_later(a: Any) -> Any:
    found = mx.square(a)
    mx.async_eval(found)
    return found


def drawn_again(seed: int, shape: Sequence[int]) -> Any:
    mx.random.seed(seed)
    first = mx.random.uniform(shape=shape)
    mx.random.seed(seed)
    return first - mx.random.uniform(shape=shape)


def without_cache(a: Any) -> Any:
    mx.eval(mx.square(a))
    mx.clear_cache()
    return [mx.square(a), mx.array(mx.get_cache_memory())]


def with_limits(a: Any) -> Any:
    cache, memory = mx.set_cache_limit(0), mx.get_memory_limit()
    mx.set_memory_limit(memory)
    found = mx.square(a)
    mx.eval(found)
    mx.set_cache_limit(cache)
    return [found, mx.array(mx.get_memory_limit() == memory)]


def counts_its_peak(a: Any) -> Any:
    mx.eval(a)
    mx.reset_peak_memory()
    found = mx.concatenate([mx.square(a).reshape(-1), mx.ones(64)])
    mx.eval(found)
    return mx.array(mx.get_peak_memory() >= found.nbytes)


def less_dequantized(x: Any, w: Any, rows: Any, columns: Any, **how: Any) -> Any:
    packed = mx.quantize(w, **how)
    plain = mx.gather_mm(x, mx.dequantize(*packed, **how).swapaxes(-1, -2), lhs_indices=rows, rhs_indices=columns)
    return mx.gather_qmm(x, *packed, lhs_indices=rows, rhs_indices=columns, transpose=True, **how) - plain


def less_dequantized_layer(x: Any, **how: Any) -> Any:
    mx.random.seed(0)
    model = nn.Sequential(nn.Linear(x.shape[-1], 32))
    nn.quantize(model, **how)
    one = model.layers[0]
    plain = mx.dequantize(one.weight, one.scales, one.biases, **how)
    return model(x) - (x @ plain.T + one.bias)


def less_unsharded(x: Any, shard: Callable[[nn.Module], Any]) -> Any:
    mx.random.seed(0)
    linear = nn.Linear(x.shape[-1], 4)
    plain = linear(x)
    return plain - shard(linear)(x)


def averaged_alone(a: Any, b: Any) -> Any:
    found = nn.average_gradients({"a": a, "b": b})
    return [found["a"], found["b"]]


def less_two_optimizers(a: Any, b: Any, grad: Any) -> Any:
    both = optim.MultiOptimizer([optim.Adam(0.1), optim.SGD(0.1)], [lambda name, _: name == "a"])
    found = both.apply_gradients({"a": grad, "b": grad}, {"a": a, "b": b})
    first = optim.Adam(0.1).apply_gradients({"a": grad}, {"a": a})["a"]
    return [found["a"] - first, found["b"] - optim.SGD(0.1).apply_gradients({"b": grad}, {"b": b})["b"]]


KNOWN_RESULTS: dict[str, Callable[..., Any]] = {  # by the function of MLX
    "grad": lambda a: mx.grad(lambda x: mx.sum(x * mx.sin(x)))(a),
    "value_and_grad": lambda a: mx.value_and_grad(lambda x: mx.sum(x * mx.sin(x)))(a),
    "checkpoint": lambda a: mx.checkpoint(lambda x: x * mx.sin(x))(a),
    "compile": lambda a: mx.compile(lambda x: x * mx.sin(x))(a),
    "disable_compile": uncompiled,
    "empty": lambda a: mx.zeros_like(mx.empty(a.shape, a.dtype)),
    "empty_like": lambda a: mx.zeros_like(mx.empty_like(a)),
    "broadcast_shapes": lambda *shapes: mx.array([len(shapes), *mx.broadcast_shapes(*shapes)]),
    "result_type": lambda a, b: mx.array(mx.result_type(a, b) == (a + b).dtype),
    "can_cast": lambda a, b: mx.array(mx.can_cast(a.dtype, b.dtype) == ((a + b).dtype == b.dtype)),
    "issubdtype": lambda a, kind: mx.array(mx.issubdtype(a.dtype, getattr(mx, kind))),
    "isdtype": lambda a, kind: mx.array(mx.isdtype(a.dtype, kind)),
    "einsum_path": lambda form, *arrays: mx.array(sum(len(pair) - 1 for pair in mx.einsum_path(form, *arrays)[0])),
    "export_to_dot": sines_in_graph,
    "stream": on_new_stream,
    "set_default_stream": on_new_default_stream,
    "async_eval": evaluated_later,
    "depends": lambda a: mx.depends(a, mx.square(a)),
    "from_dlpack": lambda a: mx.from_dlpack(mx.contiguous(a)),
    "random.seed": drawn_again,
    "clear_cache": without_cache,
    "set_cache_limit": with_limits,
    "reset_peak_memory": counts_its_peak,
    "gather_qmm": less_dequantized,
    "fft.istft": lambda a, **how: mx.fft.istft(mx.fft.stft(a, **how), length=a.shape[-1], **how),
    "nn.quantize": less_dequantized_layer,
    "nn.fully_shard": lambda x: less_unsharded(x, nn.fully_shard),
    "nn.FullyShardedModule": lambda x: less_unsharded(x, nn.FullyShardedModule),
    "nn.average_gradients": averaged_alone,
    "optimizers.MultiOptimizer": less_two_optimizers,
    "save": lambda a: reread("a.npy", lambda path: mx.save(path, a)),
    "savez": lambda a: reread("a.npz", lambda path: mx.savez(path, a=a))["a"],
    "savez_compressed": lambda a: reread("a.npz", lambda path: mx.savez_compressed(path, a=a))["a"],
    "save_safetensors": lambda a: reread("a.safetensors", lambda path: mx.save_safetensors(path, {"a": a}))["a"],
    "save_gguf": lambda a: reread("a.gguf", lambda path: mx.save_gguf(path, {"a": a}))["a"],
    "export_function": lambda a: reread(
        "f.mlxfn",
        lambda path: mx.export_function(path, lambda x: x * mx.sin(x), a),
        lambda path: mx.import_function(path)(a),
    ),
    "exporter": exported_twice,
}
