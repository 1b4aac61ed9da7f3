"""The lines by which the loops around a line are left, or cut short, are read off the source."""

import sys
from pathlib import Path

import pytest

from mlxprobe.agent.introspection import call_site, exits
from mlxprobe.agent.introspection.code_ownership import OWN

SOURCE = """
def batches(data):
    for i in range(0, len(data), 4):  # yields
        yield data[i:i + 4]

def fit(data, patience):
    for epoch in range(40):
        for x in batches(data):
            if x is None:
                continue  # skips
            step(x)  # here
            if step.bad:
                continue
        for other in data:
            if other:
                break
        if epoch > patience:
            break  # stops
    return epoch

def each(data):
    for x in enumerate(batches(data)):
        if x is None:
            return  # returns
        step(x)  # there

for x in [1]:
    step(x)  # plain
"""


def at(text: str) -> int:
    return next(number for number, line in enumerate(SOURCE.splitlines(), 1) if line.endswith(f"# {text}"))


@pytest.mark.parametrize(
    ("here", "left", "skipped", "made"),
    [("here", ["stops"], ["skips"], ["yields"]), ("there", ["returns"], [], ["yields"]), ("plain", [], [], [])],
)
def test_the_ways_out_of_the_loops_around_a_line(
    here: str, left: list[str], skipped: list[str], made: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "train.py"
    file.write_text(SOURCE)
    monkeypatch.setattr(call_site, "whose", lambda name: OWN if name == str(file) else "library")
    wanted = tuple([f"train.py:{at(one)}" for one in some] for some in (left, skipped, made))
    assert exits.around(((str(file), at(here)), (sys.executable, 1))) == wanted
