"""Whatever a case is made smaller to can be put into words and judged."""

from itertools import islice
from typing import Any

import mlx.core as mx
import pytest

from mlxprobe.fuzz.batch import job
from mlxprobe.fuzz.child.calls import function_of
from mlxprobe.fuzz.discrepancy import Discrepancy
from mlxprobe.fuzz.generate import case_of, cases
from mlxprobe.fuzz.operations import OPERATIONS
from mlxprobe.fuzz.oracles import Judge
from mlxprobe.fuzz.script import script
from mlxprobe.fuzz.shrink import smaller
from mlxprobe.fuzz.training_programs.render import keywords

LONGER = {"train.resumed": 19, "train.program": 250}


@pytest.mark.slow
def test_every_smaller_case_has_contents_and_a_reference_that_answers_or_refuses() -> None:
    for case in islice(cases(0, ["linalg.*", "sort", "put_along_axis", "nn.Linear"]), 30):
        for one in smaller(case):
            assert job(one)["id"] == case.id
            Judge(one, {"value": {"error": "[x] not implemented"}}).judge()


@pytest.mark.slow
@pytest.mark.parametrize("oracle", ["value", "reverse mode"])
def test_every_operation_has_a_short_script_that_is_python(oracle: str) -> None:
    shown = Discrepancy(case="", operation="", oracle=oracle, kind="numbers", message="it is wrong")
    for case in (case_of(name, 0, 0) for name in OPERATIONS):
        if oracle != "value" and not OPERATIONS[case.operation].smooth:
            continue
        text = script(case, shown)
        compile(text, case.id, "exec")
        assert len(text.splitlines()) <= LONGER.get(case.operation, 15), text


@pytest.mark.parametrize(
    "name", ["nn.BatchNorm", "nn.QuantizedLinear", "nn.mse_loss", "optimizers.Adam", "init.constant"]
)
def test_a_script_without_mlxprobe_gives_what_the_case_gives(name: str) -> None:
    case = case_of(name, 0, 1)
    shown = Discrepancy(case="", operation=name, oracle="value", kind="numbers", message="it is wrong")
    there: dict[str, Any] = {}
    exec(script(case, shown), there)
    given = [there[letter] for letter in "abcdefgh"[: len(case.arrays)]]
    told = function_of(job(case)["steps"])(*given)
    assert mx.array_equal(there["f"](*given), told[0]).item()


def test_every_smaller_program_is_one() -> None:
    for case in islice(cases(0, ["train.program"]), 12):
        for one in smaller(case):
            for text in keywords(one.steps[0]).values():
                compile(text, "program", "exec")


def test_a_training_gets_fewer_layers() -> None:
    case = next(one for one in cases(0, ["train.program"]) if len(one.steps[0].keywords["plan"].get("layers", ())) > 2)
    layers = case.steps[0].keywords["plan"]["layers"]
    less = [one for one in smaller(case) if one.size < case.size]
    assert any(one.steps[0].keywords.get("plan", {}).get("layers") == layers[1:] for one in less)


def test_random_numbers_keep_their_key() -> None:
    case = next(one for one in cases(0, ["random.randint"]) if "key" in one.steps[0].keywords)
    assert all("key" in one.steps[0].keywords for one in smaller(case))


ROOMS = ("optimizers.", "train.", "nn.", "init.")


@pytest.mark.parametrize("name", [name for name in OPERATIONS if name.startswith(ROOMS)])
def test_whatever_is_made_smaller_has_a_script_even_where_anything_ends_its_process(name: str) -> None:
    shown = Discrepancy(case="", operation=name, oracle="memory limit", kind="no end", message="it ended")
    case = case_of(name, 0, 0)
    for one in [case, *smaller(case)]:
        compile(script(one, shown), one.id, "exec")
