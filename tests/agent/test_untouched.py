"""Nothing of the program's own is asked for an attribute, or called, because it is watched."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
from running import Ran, report_of, run

RECORDING = Path(__file__).parents[1] / "programs" / "recording.py"
HELD = "held, plain, rows, made, several, classed = NAMED, PLAIN, ROWS, MADE, SEVERAL, CLASSED"
BEGINNING = f"""
import functools, threading
import mlx.core as mx, mlx.nn as nn, mlx.optimizers as optim
from mlx.utils import tree_map
import settings
from recording import ALL, CLASSED, MADE, NAMED, PLAIN, ROWS, SEVERAL
mx.random.seed(0)
{HELD}
class Settings:
    shared = MADE
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Linear(6, 8), nn.Linear(8, 1)
        self.plain, self.rows, self.classed, self.pair = PLAIN, ROWS, CLASSED, (PLAIN, CLASSED)
    def __call__(self, x):
        return self.last(nn.relu(self.first(x)))
class Data:
    def __init__(self):
        self.x = mx.random.normal((64, 6))
        self.y = self.x.sum(axis=1, keepdims=True)
        self.config, self.plain, self.all = MADE, PLAIN, ALL
    def __iter__(self):
        {HELD}
        for k in range(8):
            yield self.x[8 * k : 8 * k + 8], self.y[8 * k : 8 * k + 8]
model, optimizer, data = Net(), optim.Adam(1e-2), Data()
"""
TRAINERS = {
    "a model": """
def train(config, plain=PLAIN, *, rows=ROWS):
    local = [config, plain, rows, CLASSED]
    def loss_fn(model, x, y, config, plain, more=MADE):
        inner = NAMED
        local, config, plain
        return nn.losses.mse_loss(model(x), y)
    gradients = nn.value_and_grad(model, loss_fn)
    for epoch in range(6):
        for x, y in data:
            loss, grads = gradients(model, x, y, config, plain, more=rows)
            optimizer.update(model, grads)
            mx.eval(model.parameters(), optimizer.state, loss)
        print(loss.item())
train(MADE)
""",
    "lost updates": """
def loss_fn(x, y, config):
    return nn.losses.mse_loss(model(x), y)
gradients = nn.value_and_grad(model, loss_fn)
total = 0
for epoch in range(6):
    for x, y in data:
        loss, grads = gradients(x, y, CLASSED)
        optimizer.update(model, grads)
        total = total + loss
print(loss.item())
""",
    "a compiled step": """
state = [model.state, optimizer.state]
def step(x, y):
    _ = PLAIN, MADE, ROWS, CLASSED, SEVERAL
    loss, grads = nn.value_and_grad(model, lambda x, y: nn.losses.mse_loss(model(x), y))(x, y)
    optimizer.update(model, grads)
    return loss
step = mx.compile(step, inputs=state, outputs=state)
for epoch in range(6):
    for x, y in data:
        loss = step(x, y)
        mx.eval(state, loss)
    print(loss.item())
""",
    "by hand": """
weights = {"w": mx.random.normal((6, 1)), "b": mx.zeros((1,))}
def loss_fn(weights, x, y, config):
    return ((x @ weights["w"] + weights["b"] - y) ** 2).mean()
gradients = mx.value_and_grad(functools.partial(loss_fn, config=MADE))
for epoch in range(6):
    for x, y in data:
        loss, grads = gradients(weights, x, y)
        weights = tree_map(lambda w, g: w - 0.05 * g, weights, grads)
        mx.eval(weights, loss, PLAIN, ROWS)
    print(loss.item())
""",
    "a value that is not finite": """
def loss_fn(model, x, y, config, plain):
    return nn.losses.mse_loss(mx.log(model(x)), y)
gradients = nn.value_and_grad(model, loss_fn)
for x, y in data:
    loss, grads = gradients(model, x, y, MADE, plain=PLAIN)
    optimizer.update(model, grads)
    mx.eval(model.parameters(), optimizer.state)
    print(loss.item())
""",
    "a callable object": """
class Loss:
    def __init__(self):
        self.config, self.plain = MADE, PLAIN
    def __call__(self, model, x, y, rows):
        return nn.losses.mse_loss(model(x), y)
gradients = nn.value_and_grad(model, Loss())
def worker():
    thread_local = [MADE, PLAIN]
thread = threading.Thread(target=worker, args=(PLAIN, MADE)[:0])
thread.start(); thread.join()
for epoch in range(6):
    for x, y in data:
        loss, grads = gradients(model, x, y, ROWS)
        optimizer.update(model, grads)
        mx.eval(model, optimizer.state)
    print(loss.item())
mx.save_safetensors("weights.safetensors", dict(first=model.first.weight))
""",
}


def bare(folder: Path, **changes: str) -> Ran:
    return run([sys.executable, "train.py"], folder, RECORD_FILE=str(folder / "bare"), **changes)


def prepared(folder: Path, program: str) -> None:
    shutil.copy(RECORDING, folder)
    (folder / "settings.py").write_text("from recording import *\nclass Held:\n    made, plain = MADE, PLAIN")
    (folder / "train.py").write_text(BEGINNING + program)


def failures(row: dict[str, Any]) -> list[str]:
    return [one["message"] for one in row.get("remarks", ()) if one["name"] == "mlxprobe failed"]


def checked(row: dict[str, Any]) -> set[str]:
    return {one["code"] for one in row["findings"]} - {"MP102"}  # which is of seconds


@pytest.mark.slow
@pytest.mark.parametrize("program", TRAINERS.values(), ids=TRAINERS)
def test_nothing_is_asked_of_the_programs_own_objects(program: str, tmp_path: Path) -> None:
    prepared(tmp_path, program)
    alone = bare(tmp_path)
    assert alone.code == 0, alone.err
    ran, row = report_of(tmp_path, "train.py", RECORD_FILE=str(tmp_path / "watched"))
    assert (tmp_path / "watched").read_text() == (tmp_path / "bare").read_text()
    assert (ran.out, failures(row)) == (alone.out, [])
    _, strict = report_of(tmp_path, "train.py", RECORD_FILE=str(tmp_path / "strict"), RECORD_RAISES="1")
    assert (failures(strict), checked(strict)) == ([], checked(row))
