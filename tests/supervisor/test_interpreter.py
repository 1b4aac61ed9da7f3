"""An interpreter is asked what it has, and what else it prints is no answer."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from mlxprobe.supervisor import interpreter

NOISY = [{}, {"PYTHONWARNINGS": "bogus"}, {"PYTHONVERBOSE": "1"}]


@pytest.mark.slow
@pytest.mark.parametrize("environment", NOISY, ids=["quiet", "a bad filter", "each import"])
@pytest.mark.parametrize(
    ("module", "lacks"), [("json.tool", ""), ("no_such.module", "no_such"), ("json.no", "json.no")]
)
def test_a_module_is_missing_only_where_it_is_not_found(module: str, lacks: str, environment: dict[str, str]) -> None:
    assert interpreter.missing(sys.executable, module, environment=environment) == lacks


@pytest.mark.slow
def test_an_interpreter_that_fails_tells_nothing(tmp_path: Path) -> None:
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\necho missing json\nexit 3\n")
    python.chmod(0o700)
    assert interpreter.missing(str(python), "json.tool") == ""
    assert interpreter.version(str(python)) == ""
