"""Activations: the classes, and the functions where there are some."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import strategies as st
from scipy import special

from mlxprobe.fuzz.operations.registry import operation
from mlxprobe.fuzz.strategies import Arguments, Draw, Shape, arguments, array, floating, one_array, shape


def activation(
    name: str, reference: Callable[..., Any], kind: str = "real", *, function: str = "", **named: Any
) -> None:
    """Register an activation: its class, and its function where it has one."""

    def layer_arguments(draw: Draw) -> Arguments:
        x, factor = array(draw, shape(draw, 1, empty=False), dtype := floating(draw), kind), array(draw, (), dtype)
        return arguments(x, factor, made=[], named=named)

    operation(f"nn.{name}", layer_arguments, lambda a, *_, **__: reference(a), accumulates=True, smooth=(0,))
    if function:
        build = one_array(kind, low=1, empty=False)
        operation(f"nn.{function}", build, lambda a, **_: reference(a), accumulates=True)


def _softplus(a: Any) -> Any:
    return np.logaddexp(a, 0)


def _glu(a: Any, *_: Any) -> Any:
    left, right = np.split(a, 2, -1)
    return left * special.expit(right)


def _positive_else_expm1(a: Any) -> Any:
    return np.where(a > 0, a, np.expm1(a))


def _gelu_approx(a: Any) -> Any:
    return 0.5 * a * (1 + np.tanh(np.sqrt(2 / np.pi) * (a + 0.044715 * a**3)))


def _step(a: Any, *_: Any) -> Any:
    return (a > 0).astype(float)


def _even_last_axis(draw: Draw) -> Shape:
    return (*shape(draw, 0, 2, 4, empty=False), 2 * draw(st.integers(1, 4)))


activation("ReLU", lambda a: np.maximum(a, 0), function="relu")
activation("ReLU2", lambda a: np.maximum(a, 0) ** 2, function="relu2")
activation("ReLU6", lambda a: np.clip(a, 0, 6), function="relu6")
activation("GELU", lambda a: a * special.ndtr(a), function="gelu")
activation("SELU", lambda a: 1.0507 * np.where(a > 0, a, 1.67326 * np.expm1(a)), function="selu")
activation("ELU", _positive_else_expm1, function="elu")
activation("CELU", _positive_else_expm1, function="celu")
activation("SiLU", lambda a: a * special.expit(a), function="silu")
activation("Mish", lambda a: a * np.tanh(_softplus(a)), function="mish")
activation("Softplus", _softplus, function="softplus")
activation("Softsign", lambda a: a / (1 + np.abs(a)), function="softsign")
activation("LogSigmoid", lambda a: -_softplus(-a), function="log_sigmoid")
activation("LeakyReLU", lambda a: np.where(a > 0, a, 0.01 * a), function="leaky_relu")
activation("HardTanh", lambda a: np.clip(a, -1, 1), function="hard_tanh")
activation("HardShrink", lambda a: np.where(np.abs(a) > 0.5, a, 0), "above", function="hard_shrink")
activation("Softshrink", lambda a: np.where(np.abs(a) > 0.5, a - np.sign(a) * 0.5, 0), "above", function="softshrink")
activation("Hardswish", lambda a: a * np.clip(a + 3, 0, 6) / 6, function="hardswish")
activation("Sigmoid", special.expit, function="sigmoid")
activation("Tanh", np.tanh, function="tanh")
activation("Softmax", lambda a: special.softmax(a, -1))
operation("nn.softmax", one_array(low=1, empty=False, axis=-1), special.softmax, accumulates=True)
activation("Softmin", lambda a: special.softmax(-a, -1), function="softmin")
activation("LogSoftmax", lambda a: special.log_softmax(a, -1), function="log_softmax")
operation("nn.step", one_array(), _step, exact=True, smooth=False)
operation("nn.Step", lambda draw: arguments(array(draw, shape(draw)), array(draw, ())), _step, exact=True, smooth=False)
for name, reference in (("gelu_approx", _gelu_approx), ("gelu_fast_approx", lambda a: a * special.expit(1.702 * a))):
    # The bound is `a`: rounding of 1 + tanh where that cancels.
    operation(f"nn.{name}", one_array(), reference, bound=lambda a: a)
operation("nn.glu", lambda draw: arguments(array(draw, _even_last_axis(draw), floating(draw))), _glu)
operation(
    "nn.GLU",
    lambda draw: arguments(array(draw, _even_last_axis(draw), floating(draw)), array(draw, ())),
    _glu,
    smooth=(0,),
)
operation(
    "nn.prelu",
    lambda draw: arguments(array(draw, shape(draw)), array(draw, (), "float32", "share")),
    lambda a, w: np.where(a > 0, a, w * a),
)
