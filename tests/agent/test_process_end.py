"""The end of a watched process: Python frees the program's objects as it would without us."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from running import MLXPROBE, run

PROGRAM = """
import signal, sys
import mlx.core as mx, mlx.nn as nn, mlx.optimizers as optim
class Freed:
    def __init__(self, name): self.name = name
    def __del__(self): print("freed", self.name, flush=True)
class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(4, 1)
        self.part = Freed("part of the model")
    def __call__(self, x): return self.first(x)
mx.random.seed(0)
model, optimizer = Model(), optim.Adam(learning_rate=0.01)
optimizer.part, one = Freed("part of the optimizer"), Freed("variable")
model.log = log = open("log.csv", "w")
def loss_fn(model, x): return (model(x) - x.sum(axis=1, keepdims=True)).square().mean()
loss_fn.part = Freed("part of a function")
gradients = nn.value_and_grad(model, loss_fn)
state = [model.state, optimizer.state]
def step(x):
    loss, grads = gradients(model, x)
    optimizer.update(model, grads)
    return loss
step = STEP
for _ in range(30):
    loss = step(mx.random.normal((8, 4), key=mx.random.key(1)))
    mx.eval(loss, state)
    log.write(f"{loss.item()}\\n")
"""
STEPS = {"eager": "step", "compiled": "mx.compile(step, inputs=state, outputs=state)"}


@pytest.mark.slow
@pytest.mark.parametrize("step", STEPS.values(), ids=STEPS)
@pytest.mark.parametrize("enabled", ["", "import mlxprobe; mlxprobe.enable()"], ids=["watched", "enabled"])
def test_files_that_were_never_closed_are_written_and_objects_are_freed(
    step: str, enabled: str, tmp_path: Path
) -> None:
    alone, within = tmp_path / "bare", tmp_path / "watched"
    for folder, first in ((alone, ""), (within, enabled)):
        folder.mkdir()
        (folder / "train.py").write_text(first + PROGRAM.replace("STEP", step))
    bare = run([sys.executable, "train.py"], alone)
    words = [sys.executable] if enabled else [*MLXPROBE, "watch"]
    ran = run([*words, "train.py"], within)
    assert (ran.code, sorted(ran.out.splitlines())) == (bare.code, sorted(bare.out.splitlines()))
    assert bare.out.count("freed") == 4
    text = (within / "log.csv").read_text()
    assert text == (alone / "log.csv").read_text()


def test_a_fork_that_ends_writes_its_files_too(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(
        "import os, mlx.core as mx\n"
        "mx.eval(mx.ones(3) + 1)\n"
        "if os.fork():\n    os.wait()\nelse:\n    file = open('child.txt', 'w')\n    file.write('of the child')\n"
    )
    run([*MLXPROBE, "watch", "train.py"], tmp_path)
    assert (tmp_path / "child.txt").read_text() == "of the child"


@pytest.mark.slow
def test_a_handler_that_raises_while_we_finish_leaves_no_trace(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(
        "import signal, time, mlx.core as mx\n"
        "class TooLate(Exception): pass\n"
        "def handle(*_): raise TooLate\n"
        "signal.signal(signal.SIGALRM, handle)\n"
        "mx.eval(mx.grad(lambda x: x * x)(mx.array(2.0)))\n"
        "signal.setitimer(signal.ITIMER_REAL, DELAY)\n"
    )
    text = (tmp_path / "train.py").read_text()
    for delay in ("1e-6", "1e-4", "5e-4", "2e-3", "5e-3"):
        (tmp_path / "train.py").write_text(text.replace("DELAY", delay))
        ran = run([*MLXPROBE, "watch", "train.py"], tmp_path)
        assert "mlxprobe/agent" not in ran.err and "atexit" not in ran.err
