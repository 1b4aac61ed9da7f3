"""Where the agent cannot be loaded, the report says so and why, and never that MLX was not imported."""

from __future__ import annotations

from pathlib import Path

import pytest
from running import PRELUDE, watch


@pytest.mark.slow
@pytest.mark.parametrize("module", ["json", "struct", "linecache", "tokenize"])
def test_a_module_of_python_that_is_not_to_be_had(module: str, tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(f"import sys\nsys.modules[{module!r}] = None\n{PRELUDE}")
    ran = watch(tmp_path, "train.py")
    said = " ".join(ran.err.split())
    assert ran.code == 0, ran
    assert "did not import MLX" not in said, ran
    assert f"mlxprobe could not be loaded into it (ModuleNotFoundError: import of {module} halted" in said, ran


@pytest.mark.slow
def test_a_module_of_the_programs_in_the_place_of_one_of_pythons(tmp_path: Path) -> None:
    (tmp_path / "json.py").write_text("X = 1\n")
    (tmp_path / "folder").mkdir()
    (tmp_path / "train.py").write_text(PRELUDE)
    ran = watch(tmp_path / "folder", "../train.py")
    said = " ".join(ran.err.split())
    assert "mlxprobe could not be loaded into it (" in said and "did not import MLX" not in said, ran
