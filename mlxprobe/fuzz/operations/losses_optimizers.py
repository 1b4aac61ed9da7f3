"""Losses, initialisers, optimizers, schedules and short trainings."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from hypothesis import strategies as st
from scipy import special

from mlxprobe.fuzz.operations.registry import operation
from mlxprobe.fuzz.strategies import Arguments, Builder, Draw, arguments, array, floating, one_array, shape
from mlxprobe.fuzz.training_programs.plan import DRESS, plans, words

MEANS: dict[str, Callable[[Any], Any]] = {"none": lambda a: a, "mean": np.mean, "sum": np.sum}


def loss(name: str, reference: Callable[..., Any], *kinds: str, **named: Any) -> None:
    """Register a loss of arrays of one shape; its reference returns the loss of each element."""

    def build(draw: Draw) -> Arguments:
        dims, dtype = shape(draw, 2, 3, empty=False), floating(draw)
        reduction = draw(st.sampled_from([*MEANS]))
        return arguments(*(array(draw, dims, dtype, kind) for kind in kinds), reduction=reduction, **named)

    def reduced(*arrays: Any, reduction: str, **more: Any) -> Any:
        return MEANS[reduction](reference(*arrays, **more))

    operation(f"nn.{name}", build, reduced, accumulates=True)


def _classes(draw: Draw) -> Arguments:
    rows, classes = draw(st.integers(1, 5)), draw(st.sampled_from((2, 3, 7, 1025)))
    targets = array(draw, (rows,), "int32", "index", bound=classes)
    named = {"reduction": draw(st.sampled_from([*MEANS])), "label_smoothing": draw(st.sampled_from((0.0, 0.1)))}
    return arguments(array(draw, (rows, classes), floating(draw)), targets, **named)


def _of_class(a: Any, places: Any) -> Any:
    return np.take_along_axis(a, places[:, None] % a.shape[-1], -1)[:, 0]


def _cross_entropy(a: Any, places: Any, reduction: str, label_smoothing: float) -> Any:
    wanted = (1 - label_smoothing) * _of_class(a, places) + label_smoothing * np.mean(a, -1)
    return MEANS[reduction](special.logsumexp(a, -1) - wanted)


def _nll(draw: Draw) -> Arguments:
    rows, classes = draw(st.integers(1, 5)), draw(st.integers(1, 6))
    scores = array(draw, (rows, classes), floating(draw))
    return arguments(scores, array(draw, (rows,), "int32", "index", bound=classes))


def _square(draw: Draw) -> Arguments:
    return arguments(array(draw, (draw(st.integers(1, 4)),) * 2))


def _smooth_l1(a: Any, b: Any, beta: float) -> Any:
    off = np.abs(a - b)
    return np.where(off < beta, 0.5 * off**2 / beta, off - 0.5 * beta)


def _cosine(a: Any, b: Any, axis: int) -> Any:
    return np.sum(a * b, axis) / (np.linalg.norm(a, axis=axis) * np.linalg.norm(b, axis=axis))


def _triplet(a: Any, p: Any, n: Any) -> Any:
    def distance(one: Any) -> Any:
        return np.sqrt(np.sum((a - one) ** 2, -1) + 1e-6)

    return np.maximum(distance(p) - distance(n) + 1.0, 0)


loss("l1_loss", lambda a, b: np.abs(a - b), "real", "distinct")
loss("mse_loss", lambda a, b: (a - b) ** 2, "real", "real")
loss("smooth_l1_loss", _smooth_l1, "real", "real", beta=0.77)
loss("huber_loss", lambda a, b, delta: delta * _smooth_l1(a, b, delta), "real", "real", delta=0.77)
loss("log_cosh_loss", lambda a, b: np.log(np.cosh(a - b)), "real", "real")
loss("hinge_loss", lambda a, b: np.maximum(1 - a * b, 0), "real", "real")
loss("kl_div_loss", lambda a, b: np.sum(np.exp(b) * (b - a), -1), "real", "real")
loss("margin_ranking_loss", lambda a, b, t, margin: np.maximum(margin - t * (a - b), 0), *3 * ("real",), margin=0.3)
loss("cosine_similarity_loss", _cosine, "positive", "positive", axis=1)
loss("triplet_loss", _triplet, "real", "real", "real")
loss("gaussian_nll_loss", lambda a, b, v: 0.5 * (np.log(v) + (a - b) ** 2 / v), "real", "real", "positive")
loss("binary_cross_entropy", lambda a, b: np.logaddexp(0, a) - a * b, "real", "share")
operation("nn.cross_entropy", _classes, _cross_entropy, accumulates=True, smooth=(0,))
operation("nn.nll_loss", _nll, lambda a, k: -_of_class(a, k), smooth=(0,))

operation(
    "init.constant",
    one_array("real", "float32", value=0.25),
    lambda a, **named: np.full_like(a, named["value"]),
    exact=True,
    smooth=False,
)
operation("init.identity", _square, lambda a: np.eye(len(a)), exact=True, smooth=False)

SMOOTHING = 0.1  # with less, the sign of a gradient that is pure rounding decides an update
SMOOTH = ("SGD", "RMSprop", "Adagrad", "Adam", "AdamW")
OPTIMIZERS: dict[str, dict[str, Any]] = {
    "SGD": {"momentum": 0.9, "weight_decay": 0.01, "nesterov": True},
    "RMSprop": {"eps": SMOOTHING},
    "Adagrad": {"eps": SMOOTHING},
    "AdaDelta": {},
    "Adam": {"bias_correction": True, "eps": SMOOTHING},
    "AdamW": {"weight_decay": 0.1, "eps": SMOOTHING},
    "Adamax": {},
    "Lion": {"weight_decay": 0.1},
    "Adafactor": {"relative_step": False, "scale_parameter": False},
    "Muon": {"momentum": 0.9},
}


def _optimizer_arguments(named: dict[str, Any]) -> Builder:
    def build(draw: Draw) -> Arguments:
        dims, dtype = shape(draw, 2, 2, empty=False), draw(st.sampled_from(("float32", "float32", "bfloat16")))
        chosen = {key: value for key, value in named.items() if not isinstance(value, float) or draw(st.booleans())}
        if "momentum" not in chosen:
            chosen.pop("nesterov", None)
        arrays = [array(draw, dims, dtype) for _ in range(draw(st.integers(2, 4)))]
        return arguments(*arrays, named={"learning_rate": 0.01, **chosen})

    return build


for name, named in OPTIMIZERS.items():
    operation(f"optimizers.{name}", _optimizer_arguments(named), accumulates=True, smooth=False, without=("vmap",))


def schedule(name: str, *made: Any, rate: Callable[..., Any]) -> None:
    """Register a schedule: a function of the step, made with further numbers."""

    def build(draw: Draw) -> Arguments:
        return arguments(array(draw, (), "int32", "positive"), made=list(made))

    operation(f"optimizers.{name}", build, lambda n, made: rate(n, *made), smooth=False, without=("vmap",))


schedule("exponential_decay", 0.1, 0.9, rate=lambda n, start, factor: start * factor**n)
schedule("step_decay", 0.1, 0.9, 3, rate=lambda n, start, factor, every: start * factor ** (n // every))
schedule("cosine_decay", 0.1, 20, rate=lambda n, start, steps: start * 0.5 * (1 + np.cos(np.pi * n / steps)))
schedule("linear_schedule", 0.0, 0.1, 5, rate=lambda n, a, b, steps: a + (b - a) * np.minimum(n, steps) / steps)


def training(draw: Draw, optimizers: tuple[str, ...] = SMOOTH, deepest: int = 4) -> Arguments:
    """Draw a small network, its optimizer and its data; the shallowest has a constant rate."""
    rows, width = 2 * draw(st.integers(1, 4)), draw(st.integers(2, 5))
    optimizer = draw(st.sampled_from(optimizers))
    rate = draw(st.sampled_from((0.01, 0.03)))
    layers = draw(st.lists(st.sampled_from(("linear", "norm", "rms", "tanh", "gelu")), min_size=1, max_size=deepest))
    how = {
        "optimizer": optimizer,
        "named": {"learning_rate": [rate] if deepest > 1 and draw(st.booleans()) else rate, **OPTIMIZERS[optimizer]},
        "layers": layers,
        "clips": draw(st.booleans()),
    }
    dtype = draw(st.sampled_from(("float32", "float32", "bfloat16")))
    return arguments(array(draw, (rows, width), dtype), array(draw, (rows,), dtype), **how)


def _no_difference(x: Any, y: Any, **_: Any) -> Any:
    return np.zeros(UPDATES)


def _drifts(x: Any, y: Any, **_: Any) -> Any:
    """Return the bound of losses that are a mean of squares: each update keeps its errors and adds as many."""
    return np.full(UPDATES, (4 + np.mean(np.abs(y)) ** 2 + np.max(np.abs(x))) * UPDATES**2)


def _program(draw: Draw) -> Arguments:
    """Draw a program, and another form of it; not compiled: on a CPU, dozens of kernels of a step take a minute."""
    plan, other = draw(plans(compiled=(False,))), draw(plans())
    return arguments(plan=words(plan), dress={name: getattr(other, name) for name in DRESS})


UPDATES = 6
WHOLE: dict[str, Any] = {"smooth": False, "without": ("vmap", "compiled", "copy", "grows")}
operation("train.program", _program, lambda **_: 0.0, exact=True, **WHOLE)
operation("train.plain", training, accumulates=True, **WHOLE)
operation("train.resumed", lambda draw: training(draw, tuple(OPTIMIZERS)), _no_difference, exact=True, **WHOLE)
for way, deepest in (("compiled", 1), ("accumulated", 4)):  # of a deep one, compilers work for ten seconds
    build = partial(training, deepest=deepest)
    operation(f"train.{way}", build, _no_difference, bound=_drifts, accumulates=True, **WHOLE)
