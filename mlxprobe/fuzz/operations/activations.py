"""Activations: the classes, and the functions where there are some."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import strategies as st
from scipy import special

from mlxprobe.fuzz.operations.registry import operation
from mlxprobe.fuzz.strategies import Draw, Drawn, Shape, array, floating, given, shape


def activation(
    name: str, reference: Callable[..., Any], kind: str = "real", *, function: str = "", **named: Any
) -> None:
    """Take in an activation: its class, and its function where it has one."""

    def as_layer(draw: Draw) -> Drawn:
        x, factor = array(draw, shape(draw, 1, empty=False), dtype := floating(draw), kind), array(draw, (), dtype)
        return Drawn((x, factor), ({"array": 0}, {"array": 1}), {"made": [], "named": named})

    def as_function(draw: Draw) -> Drawn:
        return Drawn((array(draw, shape(draw, 1, empty=False), floating(draw), kind),), ({"array": 0},), named)

    def of_layer(a: Any, _: Any, **__: Any) -> Any:
        return reference(a)

    operation(f"nn.{name}", as_layer, of_layer, accumulates=True, smooth=(0,))
    if function:
        operation(f"nn.{function}", as_function, lambda a, **_: reference(a), accumulates=True)


def _gelu(a: Any) -> Any:
    return a * special.ndtr(a)


def _gelu_approx(a: Any) -> Any:
    return 0.5 * a * (1 + np.tanh(np.sqrt(2 / np.pi) * (a + 0.044715 * a**3)))


def _selu(a: Any) -> Any:
    return 1.0507 * np.where(a > 0, a, 1.67326 * np.expm1(a))


def _softplus(a: Any) -> Any:
    return np.logaddexp(a, 0)


def _halves(a: Any) -> Any:
    left, right = np.split(a, 2, -1)
    return left * special.expit(right)


activation("ReLU", lambda a: np.maximum(a, 0), function="relu")
activation("ReLU2", lambda a: np.maximum(a, 0) ** 2, function="relu2")
activation("ReLU6", lambda a: np.clip(a, 0, 6), function="relu6")
activation("GELU", _gelu, function="gelu")
activation("SELU", _selu, function="selu")
activation("ELU", lambda a: np.where(a > 0, a, np.expm1(a)), function="elu")
activation("CELU", lambda a: np.where(a > 0, a, np.expm1(a)), function="celu")
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
operation("nn.softmax", lambda draw: given(array(draw, shape(draw, 1, empty=False), floating(draw)), axis=-1),
          special.softmax, accumulates=True)  # fmt: skip
activation("Softmin", lambda a: special.softmax(-a, -1), function="softmin")
activation("LogSoftmax", lambda a: special.log_softmax(a, -1), function="log_softmax")
operation("nn.step", lambda draw: Drawn((array(draw, shape(draw), floating(draw)),), ({"array": 0},)),
          lambda a: (a > 0).astype(float), exact=True, smooth=False)  # fmt: skip
operation("nn.Step", lambda draw: Drawn((array(draw, shape(draw)), array(draw, ())), ({"array": 0}, {"array": 1})),
          lambda a, _: (a > 0).astype(float), exact=True, smooth=False)  # fmt: skip
for name, reference in (("gelu_approx", _gelu_approx), ("gelu_fast_approx", lambda a: a * special.expit(1.702 * a))):
    operation(f"nn.{name}", lambda draw: Drawn((array(draw, shape(draw), floating(draw)),), ({"array": 0},)), reference,
              bound=lambda a: a)  # of what 1 + tanh leaves, where it cancels  # fmt: skip


def _even(draw: Draw) -> Shape:
    return (*shape(draw, 0, 2, 4, empty=False), 2 * draw(st.integers(1, 4)))


operation("nn.glu", lambda draw: Drawn((array(draw, _even(draw), floating(draw)),), ({"array": 0},)), _halves)
operation("nn.GLU", lambda draw: Drawn((array(draw, _even(draw), floating(draw)), array(draw, ())),
          ({"array": 0}, {"array": 1})), lambda a, _: _halves(a), smooth=(0,))  # fmt: skip
operation("nn.prelu", lambda draw: Drawn((array(draw, shape(draw), "float32"), array(draw, (), "float32", "share")),
          ({"array": 0}, {"array": 1})), lambda a, w: np.where(a > 0, a, w * a))  # fmt: skip
