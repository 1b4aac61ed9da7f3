"""Cases: the same from the same seed, right for their references, and smaller ones stay cases."""

import re
import subprocess
import sys
from itertools import islice
from pathlib import Path

import msgspec
import numpy as np
import pytest

from mlxprobe.fuzz.array_values import contents, rounded
from mlxprobe.fuzz.case import CALLS, Array, Case, Step, program_of
from mlxprobe.fuzz.discrepancy import Discrepancy
from mlxprobe.fuzz.generate import cases, named, replayed
from mlxprobe.fuzz.operations import OPERATIONS
from mlxprobe.fuzz.reference import expected
from mlxprobe.fuzz.script import script
from mlxprobe.fuzz.shrink import smaller
from mlxprobe.schema.errors import UsageError

OF_SINES = (
    "from mlxprobe.fuzz.generate import cases; from itertools import islice; print(list(islice(cases(3, ['sin']), 3)))"
)
SIN = Case(
    id="sin:0:0",
    arrays=(Array(shape=(2, 3), dtype="float16", layout="transposed", special=("nan",)),),
    steps=(Step(function="sin", arguments=({"array": 0},)), Step(function="sum", arguments=({"result": 0},))),
    axes=(-1,),
)


def test_a_seed_gives_the_same_cases_in_every_process_whatever_constants_it_has_imported() -> None:
    ours = str(list(islice(cases(3, ["sin"]), 3)))
    theirs = subprocess.run([sys.executable, "-c", OF_SINES], capture_output=True, text=True, check=True, timeout=60)
    assert theirs.stdout.strip() == ours


def test_a_case_is_replayed_by_its_id() -> None:
    for one in islice(cases(7, ["linalg.*"]), 20):
        assert replayed(one.id) == one


def test_a_program_calls_its_operation_with_every_class_of_dtypes_and_moves_every_argument() -> None:
    multiply = list(islice(cases(5, ["multiply"]), CALLS))
    assert {program_of(one.id) for one in multiply} == {"multiply:5:0"}
    assert {"float32", "complex64"} < {one.arrays[0].dtype for one in multiply}
    power = list(islice(cases(5, ["power"]), CALLS))
    assert {(), (0,), (1,)} == {one.still for one in power}
    assert [one.light for one in power] == [False, *[True] * (CALLS - 1)]


@pytest.mark.parametrize("identity", ["sin", "sin:x:1", "no_such:0:1", "sin:0:-1"])
def test_an_id_that_names_no_case_is_refused(identity: str) -> None:
    with pytest.raises(UsageError, match="OPERATION:SEED:NUMBER"):
        replayed(identity)


def test_a_glob_that_fits_nothing_is_refused() -> None:
    with pytest.raises(UsageError, match=r"fits no operation; did you mean [a-z., ]*softmax") as caught:
        named(["softmx*"])
    assert len(str(caught.value)) < 200
    with pytest.raises(UsageError, match=r"qqqq\*: fits no operation; `mlxprobe fuzz --list-ops` lists all"):
        named(["qqqq*"])
    with pytest.raises(UsageError, match="fits no operation"):
        named(["nothing*"])


def test_a_case_survives_json() -> None:
    one = next(cases(1, ["conv2d"]))
    assert msgspec.json.decode(msgspec.json.encode(one), type=Case) == one


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name, one in OPERATIONS.items() if one.reference is not None])
def test_a_reference_takes_what_is_drawn_for_it(name: str) -> None:
    """A reference that refuses its arguments judges nothing, and nobody would notice; one in three may be refused."""
    known = list(islice(cases(0, [name.replace("[", "[[]") if name[0] == "[" else name.replace("[]", "[[]]")]), 6))
    assert sum(_is_judged(one) for one in known) >= 4


def _is_judged(case: Case) -> bool:
    try:
        return expected(case) is not None
    except (ValueError, IndexError, TypeError):
        return False


def test_contents_are_what_the_dtype_can_hold() -> None:
    third = np.array([1 / 3])
    assert rounded(third, "float16")[0] == float(np.float16(1 / 3))
    assert rounded(third, "bfloat16")[0] == 0.333984375  # 2731 / 8192: eight bits
    assert np.isnan(rounded(np.array([np.nan]), "bfloat16")[0])


def test_values_keep_away_from_whole_numbers_where_kinks_are() -> None:
    values = contents(Array(shape=(500,)))
    assert np.min(np.abs(values - np.round(values))) > 0.02


def test_matrices_are_well_conditioned() -> None:
    for kind in ("spd", "regular", "symmetric", "lower", "upper"):
        for seed in range(5):
            assert np.linalg.cond(contents(Array(shape=(4, 4), kind=kind, seed=seed))) < 30


def test_smaller_cases_are_smaller() -> None:
    found = [one for one in smaller(SIN) if one.size < SIN.size]
    assert len(found) > 6
    assert {len(one.steps) for one in found} == {1, 2}
    assert (1, 3) in {one.arrays[0].shape for one in found}


@pytest.mark.parametrize("oracle", ["value", "vmap", "compiled", "copy", "memory", "forward mode", "reverse mode"])
def test_a_script_is_short_and_runs(oracle: str) -> None:
    shown = Discrepancy(case="", operation="sin", oracle=oracle, kind="numbers", message="it is wrong")
    text = script(msgspec.structs.replace(SIN, arrays=(Array(shape=(2, 3), layout="transposed"),)), shown)
    assert len(text.splitlines()) <= 15
    compile(text, "script", "exec")


@pytest.mark.parametrize(("mode", "line"), [("forward", "mx.jvp"), ("vmap", "mx.vmap"), ("reverse", "mx.vjp")])
def test_the_script_of_what_ends_its_process_calls_the_mode_in_which_it_does(mode: str, line: str) -> None:
    shown = Discrepancy(case="", operation="sin", oracle="crash", kind="SIGSEGV", message="it ended", mode=mode)
    assert line in script(SIN, shown)


def test_memory_that_grows_is_shown_in_its_mode() -> None:
    shown = Discrepancy(
        case="", operation="sin", oracle="memory", kind="vmap, heap, about 64 bytes", message="it grows"
    )
    assert "mx.vmap(f, in_axes=(-1,))" in script(SIN, shown)


@pytest.mark.slow
@pytest.mark.parametrize("name", named(["train.*"]))
def test_a_trainings_script_needs_mlx_alone(name: str, tmp_path: Path) -> None:
    case = next(cases(0, [name]))
    shown = Discrepancy(case="", operation=name, oracle="value", kind="numbers", message="it is wrong")
    (tmp_path / "script.py").write_text(script(case, shown))
    alone = [sys.executable, "-c", "import sys; sys.modules['mlxprobe'] = None; exec(open('script.py').read())"]
    done = subprocess.run(alone, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert re.search(r"\d", done.stdout)


def shown_by_script(
    capsys: pytest.CaptureFixture[str], name: str, dtype: str, oracle: str, **named: int
) -> list[float]:
    """Return the two numbers that a script of a derivative prints."""
    call = Step(function=name, arguments=({"array": 0},), keywords=named)
    case = Case(id="", arrays=(Array(shape=(2,), dtype=dtype),), steps=(call,), axes=(0,))
    shown = Discrepancy(case="", operation=name, oracle=oracle, kind="numbers", message="it is wrong")
    exec(script(case, shown), {})
    return [float(one) for one in re.findall(r"array\(([^,]+),", capsys.readouterr().out)]


@pytest.mark.slow
def test_a_script_shows_what_reverse_mode_leaves_out_of_complex_numbers(capsys: pytest.CaptureFixture[str]) -> None:
    wrong, right = shown_by_script(capsys, "cumprod", "complex64", "reverse mode", axis=0)
    assert abs(wrong - right) > 0.1
    healthy, right = shown_by_script(capsys, "exp", "complex64", "reverse mode")
    assert abs(healthy - right) < 0.01
    healthy, right = shown_by_script(capsys, "square", "float32", "reverse mode")
    assert abs(healthy - right) < 1e-5
