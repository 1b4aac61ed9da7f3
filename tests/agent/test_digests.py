"""The run summary says that batches come again only where all of their arrays do, to the last element."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from watching import GUARD_S

from mlxprobe.protocol.facts.ranks import GradientsRead
from mlxprobe.protocol.facts.work import AgentFailed, DetectorFailed
from mlxprobe.reports.summary import again, lines
from mlxprobe.schema.enums import Outcome
from mlxprobe.schema.observation import Limits, Program
from mlxprobe.schema.record import ProgramRecord
from mlxprobe.schema.run_summary import Sheet
from mlxprobe.supervisor.watch import observe

LIMITS = Limits(stall_s=GUARD_S, startup_s=GUARD_S, timeout_s=GUARD_S, memory_bytes=4_000_000_000)
PROGRAM = """
import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
import numpy as np
from mlx.utils import tree_flatten

mx.random.seed(0)
model = nn.Linear(4, 1)
optimizer = optim.SGD(learning_rate=0.01)
fixed = mx.random.normal((64, 4))
square = mx.random.normal((64, 64))


def ids(shape=(16, 16)):
    made = mx.random.randint(3, 50, shape)
    made[:, 0] = 1  # all rows begin with the same id
    return made


class Batch:
    def __init__(self):
        self.x = mx.random.normal((64, 4))


{data}


def loss_fn(model, *arrays, **named):
    used = [one.astype(mx.float32).sum() for _, one in tree_flatten([arrays, named]) if isinstance(one, mx.array)]
    return (model(mx.ones((4, 4))) ** 2).mean() + 0.0 * sum(used)


step = nn.value_and_grad(model, loss_fn)
for k in range(20):
    loss, grads = step(model, {call})
    optimizer.update(model, grads)
    mx.eval(model.parameters(), optimizer.state, loss)
"""
DIFFERENT = {
    "one column is always the same": ("", "ids()"),
    "and the types are short": ("", "mx.random.normal((16, 16)).astype(mx.bfloat16) * (mx.arange(16) > 0)"),
    "the largest is always the same": ("", "fixed, mx.random.normal((8,))"),
    "a table of zeros with one other element": ("", "mx.zeros((64, 64)).at[k, 7].add(1)"),
    "one row of each differs": ("", "mx.concatenate([fixed, mx.random.normal((1, 4))])"),
    "a view of every other column": ("wide = mx.random.normal((64, 64))", "wide[:, k::20]"),
    "transposed": ("", "ids().T"),
    "rows in another order": ("", "mx.random.permutation(fixed)"),
    "one-hot targets": ("", "fixed, (mx.random.randint(1, 9, (300, 1)) == mx.arange(300)).astype(mx.float32)"),
    "by keyword": ("", "fixed, targets=mx.random.normal((8,))"),
    "of NumPy": ("", "fixed, np.arange(4) + k"),
    "a number": ("", "fixed, k"),
    "within a dict and a list": ("", "{'x': fixed, 'y': [mx.array(k)]}"),
}
SAME = {
    "one": ("", "fixed"),
    "a copy": ("", "mx.array(fixed) * 1"),
    "a view": ("", "square.T[:, ::2]"),
    "of 16 bits": ("", "fixed.astype(mx.bfloat16)"),
    "with a number, a name and NumPy's": ("", "fixed, 3, 'mean', np.arange(4)"),
    "from a file": ("mx.save('batch.npy', fixed)", "mx.load('batch.npy')"),
}
UNKNOWN = {
    "an object of the program's": ("", "fixed, Batch()"),
    "one that is too large to hold": ("large = mx.zeros((1 << 20,))", "fixed, large"),
    "more than are held": ("", "*[mx.zeros((4,))] * 40"),
}


def sheet(tmp_path: Path, data: str, call: str, text: str = PROGRAM) -> Sheet:
    file = tmp_path / "program.py"
    file.write_text(text.replace("{data}", data).replace("{call}", call))
    program = Program(name="program", argv=("script", str(file)), python=sys.executable, cwd=str(tmp_path))
    seen = observe(program, LIMITS, jit_key="tests")
    assert seen.exit_code == 0, seen.output_tail
    assert [*seen.every(DetectorFailed), *seen.every(AgentFailed)] == []
    return seen.sheet


@pytest.mark.slow
@pytest.mark.parametrize("how", DIFFERENT)
def test_batches_that_differ_anywhere_are_different_ones(tmp_path: Path, how: str) -> None:
    seen = sheet(tmp_path, *DIFFERENT[how])
    assert seen.compared == seen.different >= 8
    assert again(seen) == ""


@pytest.mark.slow
@pytest.mark.parametrize("how", SAME)
def test_one_batch_that_comes_again_is_the_same(tmp_path: Path, how: str) -> None:
    seen = sheet(tmp_path, *SAME[how])
    assert seen.different == 1
    assert again(seen) == f" (all arrays are identical at all {seen.compared} sampled steps)"


@pytest.mark.slow
@pytest.mark.parametrize("how", UNKNOWN)
def test_nothing_is_said_of_a_batch_that_is_not_read_in_full(tmp_path: Path, how: str) -> None:
    seen = sheet(tmp_path, *UNKNOWN[how])
    assert seen.compared == 0
    assert again(seen) == ""


COMPILED = (
    PROGRAM.partition("step = ")[0]
    + """
from functools import partial
state = [model.state, optimizer.state]


@partial(mx.compile, inputs=state, outputs=state)
def step(*arrays, **named):
    loss, grads = nn.value_and_grad(model, loss_fn)(model, *arrays, **named)
    optimizer.update(model, grads)
    return loss


for k in range(20):
    mx.eval(state, step({call}))
"""
)


@pytest.mark.slow
@pytest.mark.parametrize("call", ["fixed, {'y': mx.array(k)}", "fixed, y=mx.array(k)", "ids()"])
def test_of_a_compiled_step_all_arguments_are_compared(tmp_path: Path, call: str) -> None:
    seen = sheet(tmp_path, "", call, COMPILED)
    assert seen.compared == seen.different >= 4


@pytest.mark.slow
def test_a_compiled_step_that_is_given_one_batch_gets_the_same(tmp_path: Path) -> None:
    seen = sheet(tmp_path, "", "fixed, y=square", COMPILED)
    assert seen.different == 1 < seen.compared


@pytest.mark.slow
def test_shapes_and_files_are_counted_beyond_those_that_are_named(tmp_path: Path) -> None:
    data = "[mx.save(f'part{k}.npy', fixed) for k in range(11)]"
    seen = sheet(tmp_path, data, "mx.zeros((k + 1, 4))")
    assert seen.shapes > len(seen.batches) == 8  # each sampled step has one of its own
    assert seen.files == {"read": 0, "written": 11}
    told = dict(
        lines(ProgramRecord(program="p", outcome=Outcome.PASS, reason="", as_expected=True, findings=(), sheet=seen))
    )
    assert told["arguments"].endswith(f"and {seen.shapes - 4} more at sampled steps")
    assert told["files"].endswith("and 7 more")


RANKS = """
import os

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

mx.random.seed(int(os.environ["MLX_RANK"]))
model, optimizer = nn.Embedding(40, 300), optim.SGD(learning_rate=0.1)
model.weight = mx.ones((40, 300))
gradient = nn.value_and_grad(model, lambda ids, one_hot: (model(ids).mean() * one_hot.sum()) * 1e-3)
for k in range(8):
    ids = mx.random.randint(1, 40, (32, 1))
    one_hot = (ids == 40 + mx.arange(300)) | ((ids == mx.arange(300)) & (mx.arange(300) % 9 > 0))
    loss, grads = gradient(mx.zeros((32, 8), mx.int32), one_hot)
    optimizer.update(model, grads)
    mx.eval(model.parameters(), optimizer.state, loss)
"""


@pytest.mark.slow
def test_batches_of_two_ranks_are_compared_in_full(tmp_path: Path) -> None:
    file = tmp_path / "rank.py"
    file.write_text(RANKS)
    told = []
    for rank in "0", "1":
        env = {"MLX_RANK": rank, "MLX_WORLD_SIZE": "2"}
        program = Program(name="rank", argv=("script", str(file)), python=sys.executable, env=env)
        seen = observe(program, LIMITS, jit_key="tests")
        told.append([fact.batch for fact, _ in seen.every(GradientsRead)])
    assert told[0]
    assert all(mine != its for mine, its in zip(*told, strict=True))
