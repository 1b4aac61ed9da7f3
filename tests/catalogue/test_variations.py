"""Scenarios with other sizes, seeds and optimizers: what is changed, and that verdicts do not hang on it."""

import random
import subprocess
import sys
from pathlib import Path

import pytest

from mlxprobe.catalogue import discovery
from mlxprobe.catalogue.variations import varied, written

TEXT = """
WIDTH, STEPS = 32, 60
mx.random.seed(0)
def batch(step, size=4):
    return mx.random.normal((size, WIDTH), key=mx.random.key(step))
optimizer = optim.AdamW(learning_rate=0.01)
other = optim.AdamW(learning_rate=0.01, weight_decay=100.0)
"""
ENTRIES = discovery.find()[0]
ROOT = Path(__file__).parents[2]
SAMPLE = random.Random(0).sample([one.name for one in ENTRIES if not one.section("Limits")], 6)


def test_a_draw_changes_the_same_in_every_file() -> None:
    assert varied(TEXT, "a:1") == varied(TEXT, "a:1")
    assert len({varied(TEXT, f"a:{number}") for number in range(9)}) > 1


def test_one_kind_leaves_the_others_alone() -> None:
    seeded = varied(TEXT, "a:1", ["seeds"])
    assert "= (32, 60)" in seeded
    assert "seed(0)" not in seeded
    assert "optim.AdamW(learning_rate=0.01)" in seeded
    assert "seed(0)" in varied(TEXT, "a:1", ["sizes", "optimizers"])


def test_an_optimizer_that_was_given_more_than_a_rate_stays_as_it_is() -> None:
    assert all("AdamW(learning_rate=0.01, weight_decay=100.0)" in varied(TEXT, f"a:{number}") for number in range(9))


@pytest.mark.slow
@pytest.mark.parametrize("entry", ENTRIES, ids=[one.name for one in ENTRIES])
def test_a_varied_scenario_declares_what_it_did(entry: discovery.Entry, tmp_path: Path) -> None:
    made = written(entry, 0, tmp_path)
    assert [(one.name, one.expects, one.finds) for one in made.variants] == [
        (one.name, one.expects, one.finds) for one in entry.variants
    ]


@pytest.mark.slow
def test_verdicts_hold_with_other_sizes_seeds_and_optimizers() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.varied", "1", *SAMPLE], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout
    assert "kept their verdict" in done.stdout
