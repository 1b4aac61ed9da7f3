"""What is taken around a function or a call (`child/ways.py`), and what is drawn without a key."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st

from mlxprobe.fuzz.operations.registry import operation, operations
from mlxprobe.fuzz.strategies import Draw, Drawn, any_dtype, array, floating, given, integer, shape, shapes

ALSO = {  # what a case calls beside the function that it is named for
    "value_and_grad": ("grad",),
    "disable_compile": ("enable_compile", "compile"),
    "save": ("load",),
    "savez": ("load",),
    "export_function": ("import_function",),
    "exporter": ("import_function",),
    "stream": ("new_stream",),
    "set_default_stream": ("default_stream", "default_device", "set_default_device", "new_stream"),
    "clear_cache": ("get_cache_memory",),
    "set_cache_limit": ("get_memory_limit", "set_memory_limit"),
    "reset_peak_memory": ("get_peak_memory",),
    "fft.istft": ("fft.stft",),
}
AT_ONCE: dict[str, Any] = {"smooth": False, "without": ("vmap", "compiled", "grows")}
TELLS: dict[str, Any] = {"smooth": False, "exact": True, "without": ("vmap",)}
FILED: dict[str, Any] = AT_ONCE | {"exact": True}
CATEGORIES = {
    "floating": np.floating,
    "integer": np.integer,
    "inexact": np.inexact,
    "number": np.number,
    "signedinteger": np.signedinteger,
    "generic": np.generic,
}
KINDS = {"bool": "b", "signed integer": "i", "unsigned integer": "u", "integral": "iu", "real floating": "f",
         "numeric": "iuf"}  # fmt: skip
STORED = ("float32", "float16", "int8", "int16", "int32")  # GGUF has no others


def _one(draw: Draw) -> Drawn:
    return given(array(draw, shape(draw, empty=False), floating(draw)))


def _any(draw: Draw) -> Drawn:
    return given(array(draw, shape(draw, empty=False), any_dtype(draw)))


def _stored(draw: Draw) -> Drawn:
    return given(array(draw, shape(draw, 1, empty=False), draw(st.sampled_from(STORED))))


def _kept(draw: Draw) -> Drawn:  # bfloat16 is unknown to NumPy's files
    dtype = draw(st.sampled_from(("float32", "float16", "bool", integer(draw))))
    return given(array(draw, shape(draw), dtype))


def _two(draw: Draw) -> Drawn:
    return given(array(draw, shape(draw, 0, 1), any_dtype(draw)), array(draw, (), any_dtype(draw)))


def _of_words(*words: str) -> Any:
    def build(draw: Draw) -> Drawn:
        dtype = draw(st.sampled_from(("float32", "float16", integer(draw))))
        return given(array(draw, (2,), dtype), after=(draw(st.sampled_from(words)),))

    return build


def _broadcast(draw: Draw) -> Drawn:
    return Drawn((), tuple(list(one) for one in shapes(draw, draw(st.integers(2, 3)))))


def _common(*of: Any) -> Any:
    return np.array([len(of), *np.broadcast_shapes(*map(tuple, of))])


def _waves(a: Any) -> Any:
    return a * np.sin(a)


def _slope(a: Any) -> Any:
    return np.sin(a) + a * np.cos(a)


def _path(draw: Draw) -> Drawn:
    sides = [draw(st.integers(1, 4)) for _ in range(4)]
    parts = tuple(array(draw, (sides[k], sides[k + 1])) for k in range(3))
    return Drawn(parts, ("ij,jk,kl->il", *({"array": k} for k in range(3))))


def _seeded(draw: Draw) -> Drawn:
    return Drawn((), (draw(st.integers(0, 2**40)),))


def _drawn_twice(draw: Draw) -> Drawn:
    return Drawn((), (draw(st.integers(0, 999)), list(shape(draw))))


def _unique(draw: Draw) -> Drawn:
    few = draw(st.sampled_from(("int8", "int32", "uint16")))
    return given(array(draw, shape(draw, 1, empty=False), few), size=draw(st.integers(1, 9)), return_counts=True)


def _unique_reference(a: Any, size: int, **_: Any) -> Any:
    values, counts = np.unique(a, return_counts=True)
    missing = max(size - len(values), 0)  # what is left over has the first value, and a count of nothing
    return np.pad(values, (0, missing), constant_values=values[0])[:size], np.pad(counts, (0, missing))[:size]


def _frames(draw: Draw) -> Drawn:
    length = 2 * draw(st.integers(1, 4))
    hop = draw(st.integers(1, length // 2))
    of = (*shape(draw, 0, 1, 3, empty=False), length + hop * draw(st.integers(0, 4)))
    return given(array(draw, of), n_fft=length, hop_length=hop, center=False)


def _stft(a: Any, n_fft: int, hop_length: int, center: bool) -> Any:
    cut = np.lib.stride_tricks.sliding_window_view(a, n_fft, -1)[..., ::hop_length, :]
    return np.swapaxes(np.fft.rfft(cut, axis=-1), -1, -2)


def _signal(draw: Draw) -> Drawn:
    length = 2 * draw(st.integers(1, 4))
    of = (*shape(draw, 0, 1, 3, empty=False), 2 * length + draw(st.integers(0, 9)))
    return given(array(draw, of), n_fft=length, hop_length=draw(st.integers(1, length // 2)))


def _gated(draw: Draw) -> Drawn:
    batch, steps, heads, keys, values = (draw(st.integers(1, high)) for high in (2, 5, 2, 4, 4))
    sides = ((batch, steps, heads, keys),) * 2 + ((batch, steps, heads, values),) + ((batch, steps, heads),) * 2
    kinds = ("unit", "unit", "real", "share", "share")
    return given(*(array(draw, of, "float32", kind) for of, kind in zip(sides, kinds, strict=True)))


def _normal(draw: Draw) -> Drawn:
    size = draw(st.integers(1, 4))
    parts = (array(draw, (size,)), array(draw, (size, size), "float32", "spd"), array(draw, (2,), "uint32", "positive"))
    return Drawn(parts, ({"array": 0}, {"array": 1}, [3]), {"key": {"array": 2}})


def _gathered(draw: Draw) -> Drawn:
    many, rows, columns, few = (draw(st.integers(1, high)) for high in (3, 4, 5, 5))
    how = {"group_size": 32, "bits": draw(st.sampled_from((2, 4, 8)))}
    parts = (
        array(draw, (many, rows, 64)),
        array(draw, (many, columns, 64)),
        array(draw, (few,), "uint32", "index", bound=many),
        array(draw, (few,), "uint32", "index", bound=many),
    )
    return given(*parts, **how)


def _nothing_of_products(x: Any, w: Any, rows: Any, _: Any, **how: Any) -> Any:
    return np.zeros((len(rows), x.shape[1], w.shape[1]))


def _largest_products(x: Any, w: Any, rows: Any, _: Any, **how: Any) -> Any:
    return np.full((len(rows), x.shape[1], w.shape[1]), x.shape[-1] * np.max(x) * np.max(w))


def _quantized(draw: Draw) -> Drawn:
    named = {"group_size": 32, "bits": draw(st.sampled_from((2, 4, 8)))}
    return given(array(draw, (draw(st.integers(1, 5)), 64)), **named)


def _inputs(draw: Draw) -> Drawn:
    return given(array(draw, (draw(st.integers(1, 5)), draw(st.integers(1, 9)))))


def _nothing(width: int) -> Any:
    return lambda x, **_: np.zeros((len(x), width))


def _updates(draw: Draw) -> Drawn:
    of = shape(draw, 1, 2, 4, empty=False)
    return given(*(array(draw, of) for _ in range(3)))


def _weights(draw: Draw) -> Drawn:
    return Drawn((array(draw, (draw(st.integers(2, 6)), draw(st.integers(2, 6)))),), ({"array": 0},))


def _sparse(draw: Draw) -> Drawn:
    return Drawn((array(draw, (draw(st.integers(2, 6)), draw(st.integers(2, 6)))),), ({"array": 0},), {"sparsity": 0.5})


operations((("checkpoint", _waves), ("compile", _waves)), _one)
operation("grad", _one, _slope)
operation("value_and_grad", _one, lambda a: (np.sum(_waves(a)), _slope(a)), accumulates=True, several=True)
operation("disable_compile", _one, _waves, **AT_ONCE)
operations((("empty", np.zeros_like), ("empty_like", np.zeros_like)), _any, **TELLS)
operation(
    "broadcast_shapes", _broadcast, lambda *of: np.array([len(of), *np.broadcast_shapes(*map(tuple, of))]), **TELLS
)
operations((("result_type", lambda *_: True), ("can_cast", lambda *_: True)), _two, **TELLS)
operation("issubdtype", _of_words(*CATEGORIES), lambda a, kind: np.issubdtype(a.dtype, CATEGORIES[kind]), **TELLS)
operation("isdtype", _of_words(*KINDS), lambda a, kind: a.dtype.kind in KINDS[kind], **TELLS)
operation("einsum_path", _path, lambda *_: 2, **TELLS)
operations((("save", lambda a: a), ("savez", lambda a: a), ("savez_compressed", lambda a: a)), _kept, **FILED)
operation("save_safetensors", _any, lambda a: a, **FILED)
operation("save_gguf", _stored, lambda a: a, **FILED)
operations((("export_function", _waves), ("exporter", _waves)), _one, **AT_ONCE)
operation("export_to_dot", _one, lambda _: 2, **FILED)
operations((("stream", np.square), ("set_default_stream", np.square), ("async_eval", np.square)), _one, **AT_ONCE)
operation("clear_cache", _one, lambda a: (np.square(a), 0), several=True, **AT_ONCE)
operation("set_cache_limit", _one, lambda a: (np.square(a), True), several=True, **AT_ONCE)
operation("reset_peak_memory", _one, lambda _: True, **FILED)
operation("depends", _any, lambda a: a, exact=True)
operation("from_dlpack", _any, lambda a: a, **FILED)
operation("random.key", _seeded, lambda seed: np.array([seed >> 32, seed % 2**32]), **TELLS)
operation("random.seed", _drawn_twice, lambda _, of: np.zeros(of), **FILED)
operation("random.multivariate_normal", _normal, None, smooth=False, accumulates=True, without=("vmap",))
operation("unique", _unique, _unique_reference, exact=True, smooth=False, several=True)
operation("fft.stft", _frames, _stft, bound=lambda a, **how: np.full(_stft(a, **how).shape, np.sum(np.abs(a))),
          accumulates=True)  # fmt: skip
operation("fft.istft", _signal, lambda a, **_: a, bound=lambda a, **_: np.full(a.shape, np.sum(np.abs(a))),
          accumulates=True)  # fmt: skip
operation("fast.gated_delta_update", _gated, None, accumulates=True, several=True)
operation("gather_qmm", _gathered, _nothing_of_products, bound=_largest_products, accumulates=True, smooth=False)
operation("nn.quantize", _quantized, _nothing(32), accumulates=True, smooth=False,
          bound=lambda x, **_: np.full((len(x), 32), np.sum(x)))  # fmt: skip
operations((("nn.fully_shard", _nothing(4)), ("nn.FullyShardedModule", _nothing(4))), _inputs, exact=True, smooth=False)
operation("nn.average_gradients", lambda draw: given(array(draw, shape(draw)), array(draw, shape(draw))),
          lambda a, b: (a, b), exact=True, smooth=False, several=True)  # fmt: skip
operation("optimizers.MultiOptimizer", _updates, lambda a, b, _: (np.zeros_like(a), np.zeros_like(b)), exact=True,
          smooth=False, several=True)  # fmt: skip
UNKEYED: dict[str, Any] = {"smooth": False, "without": ("vmap", "compiled", "copy")}
for name in ("glorot_normal", "glorot_uniform", "he_normal", "he_uniform", "normal", "orthogonal", "uniform"):
    operation(f"init.{name}", _weights, None, accumulates=True, **UNKEYED)
operation("init.sparse", _sparse, None, **UNKEYED)
