"""What a program computes is the same, bit for bit, with the agent in it, and its peak of memory is its own."""

import sys
from pathlib import Path

import pytest
from running import report_of, run

HEALTHY = Path(__file__).parents[1] / "programs" / "healthy"
PROGRAMS = (  # those whose results do not change from one run to the next without us either
    "checkpointed_block",
    "compiled_step_with_state",
    "fifty_megabytes",
    "gan_alternating_optimizers",
    "masked_language_model",
    "next_token_slicing",
    "learned_positions_with_dropout",
)
PEAK_SHARE = 0.05
TELL = """
import hashlib, runpy, sys
import mlx.core as mx, mlx.nn as nn
from mlx.utils import tree_flatten
seen = runpy.run_path(sys.argv[1], run_name="__main__")
peak = mx.get_peak_memory()
import numpy as np
trees = {name: one for name, one in seen.items() if isinstance(one, (nn.Module, mx.array, list, dict))}
for path, one in sorted(tree_flatten(trees), key=lambda pair: pair[0]):
    if isinstance(one, mx.array):
        print(path, hashlib.sha256(np.array(one.astype(mx.float32)).tobytes()).hexdigest())
    elif isinstance(one, float):
        print(path, one.hex())
print(peak)
"""


@pytest.mark.slow
@pytest.mark.parametrize("name", PROGRAMS)
def test_results_are_equal_bit_for_bit_and_the_peak_is_its_own(name: str, tmp_path: Path) -> None:
    (tmp_path / "tell.py").write_text(TELL)
    file = str(HEALTHY / f"{name}.py")
    *bare, peak = run([sys.executable, "tell.py", file], tmp_path).out.splitlines()
    ran, row = report_of(tmp_path, "tell.py", file)
    *ours, our_peak = ran.out.splitlines()
    assert ours == bare and len(bare) > 10
    assert int(our_peak) <= (1 + PEAK_SHARE) * int(peak) + 2000  # small peaks differ by that from run to run
    assert row["outcome"] == "pass" and row["steps"] > 0
