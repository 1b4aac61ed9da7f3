"""Whatever a case is made smaller to can be put into words and judged."""

from itertools import islice

import pytest

from mlxprobe.fuzz.batch import job
from mlxprobe.fuzz.discrepancy import Discrepancy
from mlxprobe.fuzz.generate import cases
from mlxprobe.fuzz.operations import OPERATIONS
from mlxprobe.fuzz.oracles import Judge
from mlxprobe.fuzz.reduce import smaller
from mlxprobe.fuzz.script import script


@pytest.mark.slow
def test_every_smaller_case_has_contents_and_a_reference_that_answers_or_refuses() -> None:
    for case in islice(cases(0, ["linalg.*", "sort", "put_along_axis", "nn.Linear"]), 30):
        for one in smaller(case):
            assert job(one)["id"] == case.id
            Judge(one, {"value": {"error": "[x] not implemented"}}).judge()


@pytest.mark.slow
def test_every_operation_has_a_script_that_is_python() -> None:
    shown = Discrepancy(case="", operation="", oracle="value", kind="numbers", message="it is wrong")
    for case in islice(cases(0), len(OPERATIONS)):
        text = script(case, shown)
        compile(text, case.id, "exec")
