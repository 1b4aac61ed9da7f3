"""JAX's counterparts of operations: the function of NumPy's name, or a row here. Arguments are those of MLX."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache, partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.scipy import linalg, special
from scipy import special as scipy_special

from mlxprobe.fuzz.operations import OPERATIONS
from mlxprobe.fuzz.operations.elementwise import refuses_zero
from mlxprobe.fuzz.operations.indexing import sliced
from mlxprobe.fuzz.operations.products import gather_mm
from mlxprobe.fuzz.operations.reductions import takes_axes
from mlxprobe.fuzz.operations.registry import named_axes

Counterpart = Callable[..., Any]
GOLDEN = 0.618034
ALIKE = ((np, jnp), (np.linalg, jnp.linalg), (np.fft, jnp.fft), (scipy_special, special))


@cache
def counterpart(name: str) -> Counterpart | None:
    """Return an operation's counterpart; None where JAX does not have one."""
    if name in ROWS:
        return ROWS[name]
    reference = OPERATIONS[name].reference
    called = getattr(reference, "__name__", "")
    return next(
        (getattr(ours, called, None) for theirs, ours in ALIKE if getattr(theirs, called, 0) is reference), None
    )


def _softmax(a: Any, axis: Any = None, precise: bool = False) -> Any:
    return jax.nn.softmax(a, axis=tuple(range(a.ndim)) if axis is None else named_axes(axis))


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
    how = {"window_strides": (stride,) * axes, "padding": [(padding, padding)] * axes, "feature_group_count": groups}
    return _general(a, jnp.flip(w, range(1, w.ndim - 1)) if flip else w, dilation, **how)


def _transposed(a: Any, w: Any, stride: int = 1, padding: int = 0, dilation: int = 1) -> Any:
    """Convolve transposed, as the derivative of a convolution does."""
    axes = a.ndim - 2
    edges = [(dilation * (side - 1) - padding,) * 2 for side in w.shape[1:-1]]
    how = {"window_strides": (1,) * axes, "padding": edges, "lhs_dilation": (stride,) * axes}
    return _general(a, jnp.flip(w, range(1, w.ndim - 1)), dilation, **how)


def _general(a: Any, w: Any, dilation: int, **how: Any) -> Any:
    letters = "XYZ"[: a.ndim - 2]
    names = (f"N{letters}C", f"O{letters}I", f"N{letters}C")
    return lax.conv_general_dilated(a, w, rhs_dilation=(dilation,) * len(letters), dimension_numbers=names, **how)


def _layer_norm_function(a: Any, w: Any, b: Any = 0.0, eps: float = 1e-5) -> Any:
    return jax.nn.standardize(a, axis=-1, epsilon=eps) * w + b


def _attention(q: Any, k: Any, v: Any, scale: float, mask: Any = None) -> Any:
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
    """Fill a layer's parameter with the numbers that it has in the watched process (`child.modules`)."""
    values = [(GOLDEN * k + 0.137 * len(name)) % 1 - 0.37 for k in range(int(np.prod(of, dtype=int)))]
    return jnp.asarray(np.array(values, np.float32).astype(np.float64).reshape(of)) * factor


def _shifted(found: Any, factor: Any, size: int, has_bias: bool) -> Any:
    return found + _parameter("bias", (size,), factor) if has_bias else found


def _linear(a: Any, factor: Any, made: Sequence[int], named: dict[str, Any]) -> Any:
    return _shifted(a @ _parameter("weight", made[::-1], factor).T, factor, made[1], named.get("bias", True))


def _conv(a: Any, factor: Any, made: Sequence[int], named: dict[str, Any]) -> Any:
    inner, outer, kernel = made
    groups = named.get("groups", 1)
    weight = _parameter("weight", (outer, *[kernel] * (a.ndim - 2), inner // groups), factor)
    found = _convolved(a, weight, named["stride"], named["padding"], groups=groups)
    return _shifted(found, factor, outer, named["bias"])


def _conv_transposed(a: Any, factor: Any, made: Sequence[int], named: dict[str, Any]) -> Any:
    inner, outer, kernel = made
    weight = _parameter("weight", (outer, *[kernel] * (a.ndim - 2), inner), factor)
    return _shifted(_transposed(a, weight, named["stride"], named["padding"]), factor, outer, named["bias"])


def _layer_norm(a: Any, factor: Any, made: Sequence[int], named: dict[str, Any]) -> Any:
    found = jax.nn.standardize(a, axis=-1, epsilon=1e-5)
    found = found * _parameter("weight", made, factor) if named["affine"] else found
    return _shifted(found, factor, made[0], named["affine"] and named["bias"])


def _pool(how: Counterpart, start: float, *, mean: bool = False) -> Counterpart:
    def found(a: Any, _: Any, made: Sequence[int], named: dict[str, Any]) -> Any:
        kernel, stride = made
        axes, edge = a.ndim - 2, (named["padding"],) * 2
        window = (1, *[kernel] * axes, 1)
        pooled = lax.reduce_window(a, start, how, window, (1, *[stride] * axes, 1), [(0, 0), *[edge] * axes, (0, 0)])
        return pooled / kernel**axes if mean else pooled

    return found


def _embedding(places: Any, factor: Any, made: Sequence[int], **_: Any) -> Any:
    return jnp.take(_parameter("weight", made, factor), places, axis=0)


SAME_NAME = "relu relu6 elu celu silu mish softplus log_sigmoid leaky_relu hard_tanh sigmoid tanh log_softmax glu"
CLASSES = "ReLU ReLU6 ELU CELU SiLU Mish Softplus LogSigmoid LeakyReLU HardTanh Sigmoid Tanh LogSoftmax GLU"
ACTIVATIONS: dict[str, Counterpart] = {
    **{name: getattr(jax.nn, name) for name in SAME_NAME.split()},
    **{kind: getattr(jax.nn, name) for name, kind in zip(SAME_NAME.split(), CLASSES.split(), strict=True)},
    **dict.fromkeys(("gelu", "GELU"), partial(jax.nn.gelu, approximate=False)),
    "gelu_approx": partial(jax.nn.gelu, approximate=True),
    "Softmax": jax.nn.softmax,
    **dict.fromkeys(("softsign", "Softsign"), jax.nn.soft_sign),
    **dict.fromkeys(("hardswish", "Hardswish"), jax.nn.hard_swish),
}


def _activation(function: Counterpart) -> Counterpart:
    return lambda a, *_, **__: function(a)


ROWS: dict[str, Counterpart | None] = {
    **{f"nn.{name}": _activation(one) for name, one in ACTIVATIONS.items()},
    **{name: takes_axes(getattr(jnp, name)) for name in ("sum", "mean", "prod", "var", "std", "max", "min", "median")},
    **{name: refuses_zero(getattr(jnp, name)) for name in ("divide", "floor_divide", "remainder", "divmod")},
    **dict.fromkeys(("softmax", "nn.softmax"), _softmax),
    "logsumexp": takes_axes(jax.nn.logsumexp),
    "reciprocal": lambda a: 1 / a,
    "rsqrt": lax.rsqrt,
    "cumsum": _scan(lax.cumsum, 0),
    "cumprod": _scan(lax.cumprod, 1),
    "cummax": _scan(lax.cummax, -np.inf),
    "cummin": _scan(lax.cummin, np.inf),
    "logcumsumexp": _scan(lax.cumlogsumexp, -np.inf),
    "flip": lambda a, axis=None: jnp.flip(a, named_axes(axis)),
    "pad": lambda a, widths, mode: jnp.pad(a, widths, mode=mode),
    "unstack": lambda a, axis: list(jnp.unstack(a, axis=axis)),
    "flatten": OPERATIONS["flatten"].reference,
    "array.__getitem__": lambda a, places: a[places],
    "[]": sliced,
    "at[].add": lambda a, places, values: jnp.asarray(a).at[places].add(values),
    "put_along_axis": lambda a, places, values, axis: jnp.put_along_axis(a, places, values, axis, inplace=False),
    "vecdot": jnp.vecdot,
    "addmm": lambda c, a, b, alpha, beta: alpha * jnp.matmul(a, b) + beta * c,
    "convolve": lambda a, v, mode: jnp.convolve(a, v, mode=mode),
    "gather_mm": gather_mm,
    **dict.fromkeys(("conv1d", "conv2d", "conv3d", "conv_general"), _convolved),
    **dict.fromkeys(("conv_transpose1d", "conv_transpose2d", "conv_transpose3d"), _transposed),
    "linalg.tri_inv": jnp.linalg.inv,
    "linalg.solve_triangular": lambda a, b, upper: linalg.solve_triangular(a, b, lower=not upper),
    **dict.fromkeys(("linalg.cholesky", "linalg.eigvalsh")),  # derivatives along symmetric directions alone
    "fast.layer_norm": _layer_norm_function,
    "fast.scaled_dot_product_attention": _attention,
    **dict.fromkeys(("fast.cross_entropy", "nn.cross_entropy"), _cross_entropy),
    "nn.Linear": _linear,
    **{f"nn.Conv{axes}d": _conv for axes in (1, 2, 3)},
    **{f"nn.ConvTranspose{axes}d": _conv_transposed for axes in (1, 2, 3)},
    **{f"nn.AvgPool{axes}d": _pool(lax.add, 0.0, mean=True) for axes in (1, 2, 3)},
    **{f"nn.MaxPool{axes}d": _pool(lax.max, -np.inf) for axes in (1, 2, 3)},
    "nn.LayerNorm": _layer_norm,
    "nn.Embedding": _embedding,
}  # fmt: skip
