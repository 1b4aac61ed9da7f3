"""What the oracles call wrong, and what rounding explains."""

import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from mlxprobe.fuzz import known_differences
from mlxprobe.fuzz.array_values import contents
from mlxprobe.fuzz.case import Array, Case, Step
from mlxprobe.fuzz.child.array_codec import packed
from mlxprobe.fuzz.discrepancy import ROUGH, Discrepancy
from mlxprobe.fuzz.oracles import Judge

SHAPE = (3,)


def case(function: str = "square", dtype: str = "float32", **array: Any) -> Case:
    return Case(
        id=f"{function}:0:0",
        arrays=(Array(shape=SHAPE, dtype=dtype, **array),),
        steps=(Step(function=function, arguments=({"array": 0},)),),
        axes=(0,),
    )


def told(values: Any, dtype: str = "float32") -> list[dict[str, Any]]:
    values = np.asarray(values)
    return [{"shape": list(values.shape), "dtype": dtype, "values": packed(values, dtype)}]


def judged(one: Case, **seen: Any) -> set[tuple[str, str]]:
    return {(found.oracle, found.kind) for found in Judge(one, seen).judge()}


ONE = case()
X = contents(ONE.arrays[0])


def test_what_rounding_explains_is_no_finding() -> None:
    assert judged(ONE, value=told(np.float32(X) ** 2 * (1 + 2.0**-23))) == set()


def test_a_wrong_number_is_found() -> None:
    assert judged(ONE, value=told(X**2 * (1 + 1e-5))) == {("value", "numbers")}


def test_half_precision_is_allowed_what_its_rounding_explains() -> None:
    half = case(dtype="float16")
    right = contents(half.arrays[0]) ** 2
    assert judged(half, value=told(right * (1 + 1e-3), "float16")) == set()
    assert judged(half, value=told(right * 1.1, "float16")) == {("value", "numbers")}


def test_a_nan_where_a_number_is_right_is_found() -> None:
    assert judged(ONE, value=told([np.nan, *X[1:] ** 2])) == {("value", "not finite")}


def test_a_wrong_shape_is_found() -> None:
    assert judged(ONE, value=told((X**2)[:2])) == {("value", "shape")}


def test_an_error_where_numpy_has_a_result_is_found_but_not_what_mlx_says_that_it_has_not() -> None:
    assert judged(ONE, value={"error": "ValueError: vector larger than max_size()"}) == {("value", "raises")}
    assert judged(ONE, value={"error": "ValueError: [Primitive::eval] Not implemented for Square."}) == set()


def test_modes_are_held_against_what_is_eager() -> None:
    right = told(X**2)
    assert judged(ONE, value=right, compiled=told(X**2 + 1), copy=right) == {("compiled", "numbers")}
    assert judged(ONE, value=right, compiled={"error": "IndexError: axis 21843"}) == {("compiled", "raises")}
    assert judged(ONE, value=right, compiled=told(X**2, "float16")) == {("compiled", "dtype")}


def test_numbers_that_come_of_whole_ones_may_be_rounded_too() -> None:
    drawn = Case(
        id="random.gumbel:0:0",
        arrays=(Array(shape=(2,), dtype="uint32", kind="positive"),),
        steps=(Step(function="random.gumbel", arguments=(), keywords={"shape": [1], "key": {"array": 0}}),),
        axes=(0,),
    )
    assert judged(drawn, value=told([1.4012969]), compiled=told([1.4012972])) == set()
    assert judged(drawn, value=told([1.4012969]), compiled=told([1.41])) == {("compiled", "numbers")}


def test_vmap_is_held_against_the_loop() -> None:
    pair = np.stack([X**2, contents(ONE.arrays[0], 1) ** 2])
    assert judged(ONE, value=told(X**2), loop=told(pair), vmap=told(pair)) == set()
    assert judged(ONE, value=told(X**2), loop=told(pair), vmap=told(pair[::-1])) == {("vmap", "numbers")}


def test_what_only_moves_numbers_must_be_exact() -> None:
    flipped = case("flatten")
    assert judged(flipped, value=told(X)) == set()
    assert judged(flipped, value=told(X * (1 + 2.0**-23))) == {("value", "numbers")}


def test_memory_that_every_call_adds_to_is_found_and_is_one_cause_for_all_operations() -> None:
    grows = {"compiled": {"buffers": [0.0, 0.0, 0.0], "heap": [48.0, 51.0, 47.5]}}
    assert judged(ONE, value=told(X**2), grows=grows) == {("memory", "compiled, heap, bytes")}
    assert judged(ONE, value=told(X**2), grows={"eager": {}, "compiled": {"heap": [64, 0, 64]}}) == set()
    (found,) = Judge(ONE, {"value": told(X**2), "grows": grows}).judge()
    assert found.cause == ("", "memory", found.kind)


def test_float64_that_is_as_rough_as_float32_is_another_cause_than_float64_that_is_wrong() -> None:
    wide = {"jvp": {"error": "x"}, "vjp": {"error": "x"}, "ways": [], "weights": [], "smooth": []}
    rough, wrong = (wide | {"value": told(X**2 * (1 + off), "float64")} for off in (1e-8, 1e-3))
    assert judged(ONE, value=told(X**2), wide=rough) == {("float64", ROUGH)}
    assert judged(ONE, value=told(X**2), wide=wrong) == {("float64", "numbers")}


def test_a_process_that_ended_is_a_finding() -> None:
    assert judged(ONE, fate="crash", word="SIGSEGV") == {("crash", "SIGSEGV")}


WAY, WEIGHT = np.array([0.5, -0.25, 1.0]), np.array([1.0, 2.0, -1.0])


def derived(forward: Any, backward: Any) -> dict[str, Any]:
    one = {
        "value": told(X**2, "float64"),
        "ways": told(WAY),
        "weights": told(WEIGHT),
        "smooth": [0],
        "jvp": told(forward),
        "vjp": told(backward),
    }
    return {"value": told(X**2), "derivative": one, "wide": one | {"moved": []}}


FORWARD, BACKWARD = 2 * X * WAY, 2 * X * WEIGHT


def test_a_derivative_that_moves_with_the_last_digits_of_float32_may_be_off_by_as_much() -> None:
    seen = derived(FORWARD * (1 + 3e-5), BACKWARD)
    assert ("forward mode", "numbers") in judged(ONE, **seen)
    seen["wide"]["moved"] = [{"jvp": told(FORWARD * (1 + sign * 5e-6)), "vjp": told(BACKWARD)} for sign in (1, -1)]
    assert judged(ONE, **seen) == set()


def test_right_derivatives_are_no_finding() -> None:
    assert judged(ONE, **derived(FORWARD, BACKWARD)) == set()


def test_the_mode_that_is_wrong_is_named() -> None:
    assert judged(ONE, **derived(FORWARD * 1.001, BACKWARD)) == {("forward mode", "numbers")}
    assert judged(ONE, **derived(FORWARD, BACKWARD * 1.001)) == {("reverse mode", "numbers")}


def test_without_a_reference_the_modes_are_held_against_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mlxprobe.fuzz.derivatives.slope", lambda *_: None)
    assert judged(ONE, **derived(FORWARD, BACKWARD)) == set()
    assert judged(ONE, **derived(FORWARD * 1.001, BACKWARD)) == {("forward against reverse", "numbers")}


def test_a_derivative_that_only_half_precision_has_wrong_is_found() -> None:
    half = case(dtype="float16")
    seen = derived(FORWARD, BACKWARD)
    values = contents(half.arrays[0])
    right = {"value": told(values**2, "float64"), "jvp": told(2 * values * WAY), "vjp": told(2 * values * WEIGHT)}
    wide = {**seen["wide"], **right, "moved": []}
    narrow = {**wide, "jvp": told(2 * values * WAY + 3)}
    found = judged(half, value=told(values**2, "float16"), derivative=narrow, wide=wide)
    assert found == {("forward mode", "precision")}


def test_what_is_accepted_is_so_up_to_a_size() -> None:
    small = Discrepancy(case="", operation="erf", oracle="value", kind="numbers", message="", excess=3.0)
    large = Discrepancy(case="", operation="erf", oracle="value", kind="numbers", message="", excess=3000.0)
    assert known_differences.reason(small)
    assert not known_differences.reason(large)


def test_what_overflows_while_it_is_judged_warns_nobody() -> None:
    class Large(Judge):
        def _grown(self) -> Iterator[Discrepancy]:
            assert not np.isfinite(np.array([1e308]) * np.float64(1e10)).any()
            yield from ()

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert Large(ONE, {"value": told(X**2)}).judge() == []
