"""Calls that are held where nobody can look at parameters between two steps, as on CUDA: told of by the next loss."""

import json
from pathlib import Path

import pytest
from running import MLXPROBE, run

FAULTY = Path(__file__).parents[2] / "programs" / "faulty"
FAR_AWAY = """
import gc, types, mlx.core, mlx.nn
(asked,) = [one for one in gc.get_objects() if isinstance(one, types.FunctionType) and one.__name__ == "at_hand"]
asked.__code__ = (lambda: False).__code__
"""


@pytest.mark.slow
@pytest.mark.parametrize("name", ["mp207_compiled", "mp207_deviation", "mp207_trainer"])
def test_an_origin_is_found_although_no_parameter_can_be_looked_at(name: str, tmp_path: Path) -> None:
    source = (FAR_AWAY + (FAULTY / f"{name}.py").read_text()).splitlines()
    (tmp_path / "train.py").write_text("\n".join(source))
    run([*MLXPROBE, "watch", "--format", "json", "--output", "out.json", "train.py"], tmp_path)
    (program,) = json.loads((tmp_path / "out.json").read_text())["programs"]
    (found,) = [one for one in program["findings"] if one["code"] == "MP207"]
    assert source[found["line"] - 1].endswith("# MP207"), found
    assert found["evidence"]["step"] - 1 <= found["evidence"]["arose"] <= found["evidence"]["step"]
