"""The line that adds to a variable is one of the function that has it."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlxprobe.agent.introspection.additions import assigned

SOURCE = """
kept = []

def never():
    total = 0
    for _ in range(3):
        total += 1
    return total

def trains(steps):
    total = 0
    for _ in range(steps):
        total = (
            total + 1
        )
    other = 1
    return total

def keeps():
    kept.append(1)

trains(3)
"""


@pytest.mark.parametrize(
    ("name", "line", "expected"),
    [("total", 12, 13), ("total", 6, 7), ("other", 12, 12), ("kept", 22, 20)],
    ids=["in its function", "of the same name", "nothing adds", "the module's"],
)
def test_a_variable_is_added_to_in_the_function_that_has_it(
    tmp_path: Path, name: str, line: int, expected: int
) -> None:
    file = tmp_path / "program.py"
    file.write_text(SOURCE)
    assert assigned(name, (str(file), line)) == (str(file), expected)
