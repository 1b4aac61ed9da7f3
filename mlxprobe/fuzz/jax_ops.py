"""What JAX calls an operation: the function of NumPy's name, or a row here. Arguments are those of MLX."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.scipy import linalg, special
from scipy import special as scipy_special

from mlxprobe.fuzz.operations import OPERATIONS
from mlxprobe.fuzz.operations.elementwise import whole
from mlxprobe.fuzz.operations.reductions import plural

Counterpart = Callable[..., Any]
GOLDEN = 0.618034
ALIKE = ((np, jnp), (np.linalg, jnp.linalg), (np.fft, jnp.fft), (scipy_special, special))
LETTERS = "XYZ"


@cache
def counterpart(name: str) -> Counterpart | None:
    """Return an operation's counterpart; None where JAX has none."""
    if name in ROWS:
        return ROWS[name]
    reference = OPERATIONS[name].reference
    called = getattr(reference, "__name__", "")
    return next(
        (getattr(ours, called, None) for theirs, ours in ALIKE if getattr(theirs, called, 0) is reference), None
    )


def _tuple(axis: Any) -> Any:
    return tuple(axis) if isinstance(axis, list) else axis


def _softmax(function: Counterpart) -> Counterpart:
    return lambda a, axis=None, precise=False: function(a, axis=tuple(range(a.ndim)) if axis is None else _tuple(axis))


def _scan(function: Counterpart, start: float) -> Counterpart:
    def found(a: Any, axis: int, reverse: bool = False, inclusive: bool = True) -> Any:
        along = axis % a.ndim
        scanned = function(a, along, reverse=reverse)
        if inclusive:
            return scanned
        first, size = jnp.full_like(lax.slice_in_dim(scanned, 0, 1, axis=along), start), a.shape[along]
        rest = lax.slice_in_dim(scanned, 1, size, axis=along) if reverse else lax.slice_in_dim(
            scanned, 0, size - 1, axis=along)  # fmt: skip
        return jnp.concatenate([rest, first] if reverse else [first, rest], along)

    return found


def _convolved(
    a: Any, w: Any, stride: int = 1, padding: int = 0, dilation: int = 1, groups: int = 1, flip: bool = False
) -> Any:
    """Convolve channels-last arrays."""
    axes = a.ndim - 2
    letters = LETTERS[:axes]
    return lax.conv_general_dilated(
        a,
        jnp.flip(w, range(1, w.ndim - 1)) if flip else w,
        (stride,) * axes,
        [(padding, padding)] * axes,
        rhs_dilation=(dilation,) * axes,
        dimension_numbers=(f"N{letters}C", f"O{letters}I", f"N{letters}C"),
        feature_group_count=groups,
    )


def _spread(a: Any, w: Any, stride: int = 1, padding: int = 0, dilation: int = 1) -> Any:
    """Convolve transposed: what a convolution's derivative does."""
    axes = a.ndim - 2
    letters = LETTERS[:axes]
    edges = [(dilation * (side - 1) - padding,) * 2 for side in w.shape[1:-1]]
    return lax.conv_general_dilated(
        a,
        jnp.flip(w, range(1, w.ndim - 1)),
        (1,) * axes,
        edges,
        lhs_dilation=(stride,) * axes,
        rhs_dilation=(dilation,) * axes,
        dimension_numbers=(f"N{letters}C", f"O{letters}I", f"N{letters}C"),
    )


def _normalised(a: Any, w: Any, b: Any = 0.0, eps: float = 1e-5) -> Any:
    return jax.nn.standardize(a, axis=-1, epsilon=eps) * w + b


def _attended(q: Any, k: Any, v: Any, scale: float, mask: Any = None) -> Any:
    """Attend; JAX's own function rounds to float32."""
    k, v = (jnp.repeat(one, q.shape[1] // k.shape[1], 1) for one in (k, v))
    scores = scale * jnp.matmul(q, k.swapaxes(-1, -2))
    if isinstance(mask, str):
        allowed = jnp.tril(jnp.ones(scores.shape[-2:], bool), scores.shape[-1] - scores.shape[-2])
        return jax.nn.softmax(scores, -1, where=allowed) @ v
    return jax.nn.softmax(scores if mask is None else scores + mask, -1) @ v


def _cross_entropy(a: Any, places: Any, label_smoothing: float = 0.0, reduction: str = "none") -> Any:
    classes = a.shape[-1]
    wanted = jax.nn.one_hot(places % classes, classes) * (1 - label_smoothing) + label_smoothing / classes
    found = -jnp.sum(wanted * jax.nn.log_softmax(a), -1)
    return {"none": found, "mean": found.mean(), "sum": found.sum()}[reduction]


def _parameter(name: str, of: Sequence[int], factor: Any) -> Any:
    """Fill a layer's parameter with the numbers that it has in the watched process (`inside.modules`)."""
    values = [(GOLDEN * k + 0.137 * len(name)) % 1 - 0.37 for k in range(int(np.prod(of, dtype=int)))]
    return jnp.asarray(np.array(values, np.float32).astype(np.float64).reshape(of)) * factor


def _linear(a: Any, factor: Any, made: Sequence[int], named: dict[str, Any]) -> Any:
    found = a @ _parameter("weight", made[::-1], factor).T
    return found + _parameter("bias", made[1:], factor) if named.get("bias", True) else found


def _conv(a: Any, factor: Any, made: Sequence[int], named: dict[str, Any]) -> Any:
    inner, outer, kernel = made
    groups = named.get("groups", 1)
    weight = _parameter("weight", (outer, *[kernel] * (a.ndim - 2), inner // groups), factor)
    found = _convolved(a, weight, named["stride"], named["padding"], groups=groups)
    return found + _parameter("bias", (outer,), factor) if named["bias"] else found


def _conv_transposed(a: Any, factor: Any, made: Sequence[int], named: dict[str, Any]) -> Any:
    inner, outer, kernel = made
    weight = _parameter("weight", (outer, *[kernel] * (a.ndim - 2), inner), factor)
    found = _spread(a, weight, named["stride"], named["padding"])
    return found + _parameter("bias", (outer,), factor) if named["bias"] else found


def _layer_norm(a: Any, factor: Any, made: Sequence[int], named: dict[str, Any]) -> Any:
    found = jax.nn.standardize(a, axis=-1, epsilon=1e-5)
    found = found * _parameter("weight", made, factor) if named["affine"] else found
    return found + _parameter("bias", made, factor) if named["affine"] and named["bias"] else found


def _pool(how: Counterpart, start: float, *, mean: bool = False) -> Counterpart:
    def found(a: Any, _: Any, made: Sequence[int], named: dict[str, Any]) -> Any:
        kernel, stride = made
        axes, edge = a.ndim - 2, (named["padding"],) * 2
        window = (1, *[kernel] * axes, 1)
        pooled = lax.reduce_window(a, start, how, window, (1, *[stride] * axes, 1), [(0, 0), *[edge] * axes, (0, 0)])
        return pooled / kernel**axes if mean else pooled

    return found


def _embedded(places: Any, factor: Any, made: Sequence[int], **_: Any) -> Any:
    return jnp.take(_parameter("weight", made, factor), places, axis=0)


NAMES = (  # of `jax.nn`, the same in `mlx.nn`
    ("relu", "ReLU"), ("relu6", "ReLU6"), ("elu", "ELU"), ("celu", "CELU"), ("silu", "SiLU"), ("mish", "Mish"),
    ("softplus", "Softplus"), ("log_sigmoid", "LogSigmoid"), ("leaky_relu", "LeakyReLU"), ("hard_tanh", "HardTanh"),
    ("sigmoid", "Sigmoid"), ("tanh", "Tanh"), ("log_softmax", "LogSoftmax"),
)  # fmt: skip
ACTIVATIONS: dict[str, Counterpart] = {one: getattr(jax.nn, name) for name, kind in NAMES for one in (name, kind)}
ACTIVATIONS |= dict.fromkeys(("gelu", "GELU"), lambda a: jax.nn.gelu(a, approximate=False))
ACTIVATIONS |= {"gelu_approx": lambda a: jax.nn.gelu(a, approximate=True), "Softmax": jax.nn.softmax}
ACTIVATIONS |= dict.fromkeys(("softsign", "Softsign"), jax.nn.soft_sign)
ACTIVATIONS |= dict.fromkeys(("hardswish", "Hardswish"), jax.nn.hard_swish) | dict.fromkeys(("glu", "GLU"), jax.nn.glu)


def _activation(function: Counterpart) -> Counterpart:
    return lambda a, *_, **__: function(a)


ROWS: dict[str, Counterpart | None] = {
    **{f"nn.{name}": _activation(one) for name, one in ACTIVATIONS.items()},
    **{name: plural(getattr(jnp, name)) for name in ("sum", "mean", "prod", "var", "std", "max", "min", "median")},
    **{name: whole(getattr(jnp, name)) for name in ("divide", "floor_divide", "remainder", "divmod")},
    **dict.fromkeys(("softmax", "nn.softmax"), _softmax(jax.nn.softmax)),
    "logsumexp": plural(jax.nn.logsumexp),
    "reciprocal": lambda a: 1 / a,
    "rsqrt": lax.rsqrt,
    "clip": jnp.clip,
    "cumsum": _scan(lax.cumsum, 0),
    "cumprod": _scan(lax.cumprod, 1),
    "cummax": _scan(lax.cummax, -np.inf),
    "cummin": _scan(lax.cummin, np.inf),
    "logcumsumexp": _scan(lax.cumlogsumexp, -np.inf),
    "flip": lambda a, axis=None: jnp.flip(a, _tuple(axis)),
    "pad": lambda a, widths, mode: jnp.pad(a, widths, mode=mode),
    "unstack": lambda a, axis: list(jnp.unstack(a, axis=axis)),
    "flatten": OPERATIONS["flatten"].reference,
    "take": jnp.take,
    "array.__getitem__": lambda a, places: a[places],
    "[]": lambda a, parts: a[tuple(slice(*one["slice"]) for one in parts)],
    "at[].add": lambda a, places, values: jnp.asarray(a).at[places].add(values),
    "put_along_axis": lambda a, places, values, axis: jnp.put_along_axis(a, places, values, axis, inplace=False),
    "vecdot": jnp.vecdot,
    "addmm": lambda c, a, b, alpha, beta: alpha * jnp.matmul(a, b) + beta * c,
    "convolve": lambda a, v, mode: jnp.convolve(a, v, mode=mode),
    "gather_mm": lambda a, b, lhs_indices, rhs_indices: a[lhs_indices] @ b[rhs_indices],
    **dict.fromkeys(("conv1d", "conv2d", "conv3d", "conv_general"), _convolved),
    **dict.fromkeys(("conv_transpose1d", "conv_transpose2d", "conv_transpose3d"), _spread),
    "linalg.svd": lambda a, compute_uv: jnp.linalg.svd(a, compute_uv=compute_uv),
    "linalg.tri_inv": jnp.linalg.inv,
    "linalg.solve_triangular": lambda a, b, upper: linalg.solve_triangular(a, b, lower=not upper),
    **dict.fromkeys(("linalg.cholesky", "linalg.eigvalsh")),  # derivatives along symmetric directions alone
    "fast.layer_norm": _normalised,
    "fast.scaled_dot_product_attention": _attended,
    **dict.fromkeys(("fast.cross_entropy", "nn.cross_entropy"), _cross_entropy),
    "nn.Linear": _linear,
    **{f"nn.Conv{axes}d": _conv for axes in (1, 2, 3)},
    **{f"nn.ConvTranspose{axes}d": _conv_transposed for axes in (1, 2, 3)},
    **{f"nn.AvgPool{axes}d": _pool(lax.add, 0.0, mean=True) for axes in (1, 2, 3)},
    **{f"nn.MaxPool{axes}d": _pool(lax.max, -np.inf) for axes in (1, 2, 3)},
    "nn.LayerNorm": _layer_norm,
    "nn.Embedding": _embedded,
}  # fmt: skip
