"""Losses, initialisers, optimizers, schedules and short trainings."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from hypothesis import strategies as st
from scipy import special

from mlxprobe.fuzz.operations.registry import operation
from mlxprobe.fuzz.strategies import Draw, Drawn, array, floating, given, shape
from mlxprobe.fuzz.training_programs.plan import DRESS, plans, words

ALONE: dict[str, Any] = {"smooth": False, "without": ("vmap", "copy")}
MEANS: dict[str, Callable[[Any], Any]] = {"none": lambda a: a, "mean": np.mean, "sum": np.sum}


def loss(name: str, reference: Callable[..., Any], *kinds: str, **named: Any) -> None:
    """Take in a loss of arrays of one shape; its reference gives what each element costs."""

    def build(draw: Draw) -> Drawn:
        of, dtype = shape(draw, 2, 3, empty=False), floating(draw)
        return given(
            *(array(draw, of, dtype, kind) for kind in kinds), reduction=draw(st.sampled_from([*MEANS])), **named
        )

    def reduced(*arrays: Any, reduction: str, **more: Any) -> Any:
        return MEANS[reduction](reference(*arrays, **more))

    operation(f"nn.{name}", build, reduced, accumulates=True)


def _classes(draw: Draw) -> Drawn:
    rows, classes = draw(st.integers(1, 5)), draw(st.sampled_from((2, 3, 7, 1025)))
    targets = array(draw, (rows,), "int32", "index", bound=classes)
    named = {"reduction": draw(st.sampled_from([*MEANS])), "label_smoothing": draw(st.sampled_from((0.0, 0.1)))}
    return given(array(draw, (rows, classes), floating(draw)), targets, **named)


def _cross_entropy(a: Any, places: Any, reduction: str, label_smoothing: float) -> Any:
    whole = special.logsumexp(a, -1)
    chosen = np.take_along_axis(a, places[:, None] % a.shape[-1], -1)[:, 0]
    smooth = label_smoothing
    found = whole - (1 - smooth) * chosen - smooth * np.mean(a, -1)
    return MEANS[reduction](found)


def _nll(draw: Draw) -> Drawn:
    rows, classes = draw(st.integers(1, 5)), draw(st.integers(1, 6))
    return given(array(draw, (rows, classes), floating(draw)), array(draw, (rows,), "int32", "index", bound=classes))


def _small(a: Any, b: Any, beta: float) -> Any:
    off = np.abs(a - b)
    return np.where(off < beta, 0.5 * off**2 / beta, off - 0.5 * beta)


def _cosine(a: Any, b: Any, axis: int) -> Any:
    return np.sum(a * b, axis) / (np.linalg.norm(a, axis=axis) * np.linalg.norm(b, axis=axis))


def _triplet(a: Any, p: Any, n: Any) -> Any:
    def far(one: Any) -> Any:
        return np.sqrt(np.sum((a - one) ** 2, -1) + 1e-6)

    return np.maximum(far(p) - far(n) + 1.0, 0)


loss("l1_loss", lambda a, b: np.abs(a - b), "real", "distinct")
loss("mse_loss", lambda a, b: (a - b) ** 2, "real", "real")
loss("smooth_l1_loss", _small, "real", "real", beta=0.77)
loss("huber_loss", lambda a, b, delta: delta * _small(a, b, delta), "real", "real", delta=0.77)
loss("log_cosh_loss", lambda a, b: np.log(np.cosh(a - b)), "real", "real")
loss("hinge_loss", lambda a, b: np.maximum(1 - a * b, 0), "real", "real")
loss("kl_div_loss", lambda a, b: np.sum(np.exp(b) * (b - a), -1), "real", "real")
loss("margin_ranking_loss", lambda a, b, t, margin: np.maximum(margin - t * (a - b), 0), *3 * ("real",), margin=0.3)
loss("cosine_similarity_loss", _cosine, "positive", "positive", axis=1)
loss("triplet_loss", _triplet, "real", "real", "real")
loss("gaussian_nll_loss", lambda a, b, v: 0.5 * (np.log(v) + (a - b) ** 2 / v), "real", "real", "positive")
loss("binary_cross_entropy", lambda a, b: np.logaddexp(0, a) - a * b, "real", "share")
operation("nn.cross_entropy", _classes, _cross_entropy, accumulates=True, smooth=(0,))
operation("nn.nll_loss", _nll, lambda a, k: -np.take_along_axis(a, k[:, None] % a.shape[-1], -1)[:, 0], smooth=(0,))

operation("init.constant", lambda draw: Drawn((array(draw, shape(draw)),), ({"array": 0},), {"value": 0.25}),
          lambda a, **by: np.full_like(a, by["value"]), exact=True, smooth=False)  # fmt: skip
operation("init.identity", lambda draw: Drawn((array(draw, (draw(st.integers(1, 4)),) * 2),), ({"array": 0},)),
          lambda a: np.eye(len(a)), exact=True, smooth=False)  # fmt: skip

SMOOTHING = 0.1  # with less, the sign of a gradient that is nothing but rounding decides an update
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


def _updated(named: dict[str, Any]) -> Callable[[Draw], Drawn]:
    def build(draw: Draw) -> Drawn:
        of, dtype = shape(draw, 2, 2, empty=False), draw(st.sampled_from(("float32", "float32", "bfloat16")))
        chosen = {key: value for key, value in named.items() if not isinstance(value, float) or draw(st.booleans())}
        chosen = {key: value for key, value in chosen.items() if key != "nesterov" or "momentum" in chosen}
        arrays = tuple(array(draw, of, dtype) for _ in range(draw(st.integers(2, 4))))
        how = {"named": {"learning_rate": 0.01, **chosen}}
        return Drawn(arrays, tuple({"array": k} for k in range(len(arrays))), how)

    return build


for name, named in OPTIMIZERS.items():
    operation(f"optimizers.{name}", _updated(named), None, accumulates=True, smooth=False, without=("vmap",))


def _counted(*made: Any) -> Callable[[Draw], Drawn]:
    return lambda draw: Drawn((array(draw, (), "int32", "positive"),), ({"array": 0},), {"made": list(made)})


SCHEDULE: dict[str, Any] = {"smooth": False, "without": ("vmap",)}
operation("optimizers.exponential_decay", _counted(0.1, 0.9), lambda n, made: made[0] * made[1] ** n, **SCHEDULE)
operation(
    "optimizers.step_decay", _counted(0.1, 0.9, 3), lambda n, made: made[0] * made[1] ** (n // made[2]), **SCHEDULE
)
operation("optimizers.cosine_decay", _counted(0.1, 20),
          lambda n, made: made[0] * 0.5 * (1 + np.cos(np.pi * n / made[1])), **SCHEDULE)  # fmt: skip
operation("optimizers.linear_schedule", _counted(0.0, 0.1, 5),
          lambda n, made: made[0] + (made[1] - made[0]) * np.minimum(n, made[2]) / made[2], **SCHEDULE)  # fmt: skip


def training(draw: Draw, optimizers: tuple[str, ...] = SMOOTH, deepest: int = 4) -> Drawn:
    """Draw a small network, its optimizer and its data; of the shallowest the rate stands still."""
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
    return given(array(draw, (rows, width), dtype), array(draw, (rows,), dtype), **how)


def _nothing(x: Any, y: Any, **_: Any) -> Any:
    return np.zeros(UPDATES)


def _drifts(x: Any, y: Any, **_: Any) -> Any:
    """Losses are a mean of squares; each update adds as much rounding as the one before, and carries what there was."""
    return np.full(UPDATES, (4 + np.mean(np.abs(y)) ** 2 + np.max(np.abs(x))) * UPDATES**2)


def _program(draw: Draw) -> Drawn:
    """Draw a whole program, and how it may look otherwise; on a CPU, dozens of kernels of a step take a minute."""
    plan, other = draw(plans(compiled=(False,))), draw(plans())
    return Drawn((), (), {"plan": words(plan), "dress": {name: getattr(other, name) for name in DRESS}})


UPDATES = 6
WHOLE: dict[str, Any] = {"smooth": False, "without": ("vmap", "compiled", "copy", "grows")}
operation("train.program", _program, lambda **_: 0.0, exact=True, **WHOLE)
operation("train.plain", training, None, accumulates=True, **WHOLE)
operation("train.resumed", lambda draw: training(draw, tuple(OPTIMIZERS)), _nothing, exact=True, **WHOLE)
for way, deepest in (("compiled", 1), ("accumulated", 4)):  # of a deep one, compilers work for ten seconds
    build = partial(training, deepest=deepest)
    operation(f"train.{way}", build, _nothing, bound=_drifts, accumulates=True, **WHOLE)
