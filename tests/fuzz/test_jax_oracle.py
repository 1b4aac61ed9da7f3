"""JAX as a second framework: it agrees with NumPy, healthy operations pass, and a derivative that is off is told."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from mlxprobe.fuzz import jax_oracle
from mlxprobe.fuzz.batch import job
from mlxprobe.fuzz.case import Case
from mlxprobe.fuzz.child.array_codec import numbers_of, packed
from mlxprobe.fuzz.child.modes import measured
from mlxprobe.fuzz.discrepancy import Discrepancy
from mlxprobe.fuzz.generate import case_of
from mlxprobe.fuzz.operations import OPERATIONS
from mlxprobe.fuzz.oracles import Judge
from mlxprobe.fuzz.reference import REFUSALS, expected
from mlxprobe.fuzz.script import script

pytest.importorskip("jax")
counterpart = pytest.importorskip("mlxprobe.fuzz.jax_ops").counterpart
KNOWN = [name for name in OPERATIONS if counterpart(name)]
OTHERWISE = ("median",)  # of a scalar JAX keeps an axis that is not there
HEALTHY = ("sin", "matmul", "softmax", "cumsum", "conv2d", "fft.rfft", "nn.Linear", "nn.Conv2d", "nn.GELU", "take")


def test_more_than_half_of_the_operations_have_a_counterpart() -> None:
    assert len(KNOWN) > len(OPERATIONS) / 2


@pytest.mark.slow
@pytest.mark.parametrize("name", KNOWN)
def test_a_counterpart_gives_what_numpy_gives(name: str) -> None:
    drawn = [case_of(name, 0, turn) for turn in range(2)]
    opinions = [jax_oracle.values(one) for one in drawn]
    assert any(opinions), "JAX refuses all that is drawn"
    for case, opinion in zip(drawn, opinions, strict=True):
        try:
            truth = expected(case)
        except REFUSALS:
            continue
        if truth is None or opinion is None or name in OTHERWISE:
            continue
        for one, other, allowed in zip(truth.results, opinion.results, truth.allowed, strict=True):
            assert np.shape(one) == np.shape(other)
            assert np.all(np.isclose(one, other, rtol=1e-9, atol=1e-9, equal_nan=True) | np.isinf(allowed)), case


def first(name: str, fits: Callable[[Case], bool]) -> Case:
    drawn = (case_of(name, 0, turn) for turn in range(400))
    return next(one for one in drawn if len(one.steps) == 1 and fits(one))


def is_plain(case: Case) -> bool:
    """Tell whether MLX has a right result for it: of transposed convolutions, padding may take too much away."""
    array = case.arrays[0]
    return array.dtype == "float32" and array.layout == "plain" and not case.steps[0].keywords["named"].get("padding")


def seen_of(case: Case) -> dict[str, Any]:
    return measured({**job(case), "grows": []})


def told_by_jax(case: Case, seen: dict[str, Any]) -> list[Discrepancy]:
    judge = Judge(case, seen)
    return list(jax_oracle.judged(case, seen, judge._found, judge._raises))


@pytest.mark.slow
@pytest.mark.parametrize("name", HEALTHY)
def test_a_derivative_that_is_off_is_told_and_a_right_one_is_not(name: str) -> None:
    case = first(name, lambda one: "wide" in job(one)["modes"])
    seen = seen_of(case)
    assert told_by_jax(case, seen) == []
    modes = [mode for mode in jax_oracle.MODES if isinstance(seen["wide"][mode], list)]  # convolutions have one
    assert "vjp" in modes
    for mode in modes:
        array = max(seen["wide"][mode], key=lambda one: numbers_of(one).size)
        values = numbers_of(array).copy()
        values.reshape(-1)[-1] += 0.01
        off = [{**one, "values": packed(values, array["dtype"])} if one is array else one for one in seen["wide"][mode]]
        (found,) = told_by_jax(case, seen | {"wide": seen["wide"] | {mode: off}})
        assert (found.oracle, found.kind) == (jax_oracle.JAX, jax_oracle.MODES[mode])
        assert f"mx.{mode}" in script(case, found)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["nn.Linear", "nn.Conv1d", "nn.ConvTranspose2d", "nn.LayerNorm", "nn.MaxPool2d"])
def test_a_layers_result_that_is_off_is_told_where_numpy_has_no_reference(name: str) -> None:
    case = first(name, is_plain)
    seen = {"value": seen_of(case)["value"]}
    assert Judge(case, seen).judge() == []
    (array,) = seen["value"]
    values = numbers_of(array).copy()
    values.reshape(-1)[0] += 0.3
    off = {"value": [{**array, "values": packed(values, array["dtype"])}]}
    assert [(one.oracle, one.kind) for one in Judge(case, off).judge()] == [(jax_oracle.JAX, "numbers")]
