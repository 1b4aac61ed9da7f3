"""Losses that a program reads only as a sum, a mean or once an epoch are seen as they are."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from watching import GUARD_S

from mlxprobe.diagnosis.learning import ENOUGH_LOSSES
from mlxprobe.schema.observation import Limits, Observation, Program
from mlxprobe.supervisor.watch import observe

LIMITS = Limits(stall_s=20.0, startup_s=GUARD_S, timeout_s=GUARD_S, memory_bytes=4_000_000_000)
HEAD = """
import mlx.core as mx, mlx.nn as nn, mlx.optimizers as optim, numpy as np
mx.random.seed(0)
model, optimizer = nn.Linear(8, 3), optim.SGD(0.1)
x = mx.random.normal((640, 8))
y = mx.argmax(x[:, :3], axis=1)
mx.eval(x, y, model.parameters())
gradients = nn.value_and_grad(model, lambda x, y: nn.losses.cross_entropy(model(x), y, reduction="mean"))
state = [model.state, optimizer.state]
def batches():
    for start in range(0, 640, 16):
        yield x[start : start + 16], y[start : start + 16]
def step(x, y):
    loss, grads = gradients(x, y)
    optimizer.update(model, grads)
    return loss
"""
FORMS = {
    "a sum": """
    total = 0
    for one in batches():
        loss, grads = gradients(*one)
        optimizer.update(model, grads)
        mx.eval(model.parameters(), optimizer.state)
        total += loss
    print((total / 40).item())
""",
    "a sum of what a function returns, weighed": """
    total = mx.array(0.0)
    for one in batches():
        total = total + step(*one) * len(one[0])
        mx.eval(state)
    print((total / 640).item())
""",
    "a sum that is printed": """
    total = mx.array(0.0)
    for one in batches():
        total += step(*one)
        mx.eval(state)
    print(f"{total / 40}")
""",
    "a sum of losses scheduled": """
    total = 0
    for one in batches():
        total += step(*one)
        mx.async_eval(state)
    print(total.item())
""",
    "the last loss": """
    for one in batches():
        loss = step(*one)
        mx.eval(state)
    print(loss.item())
""",
    "NumPy's mean of a list": """
    losses = []
    for one in batches():
        losses.append(step(*one))
        mx.eval(state)
    print(np.mean([loss for loss in losses]))
""",
    "a mean of a stack": """
    losses = []
    for one in batches():
        losses.append(step(*one))
        mx.eval(state)
    print(mx.mean(mx.stack(losses)).item())
""",
    "a sum of a compiled step's": """
    total = 0
    for one in batches():
        total += compiled(*one)
        mx.eval(state)
    print(total.item())
""",
}


def seen_of(text: str, folder: Path) -> Observation:
    file = folder / "train.py"
    file.write_text(text)
    seen = observe(Program(name="train", argv=("script", str(file)), python=sys.executable), LIMITS, jit_key="tests")
    assert seen.exit_code == 0, seen.output_tail
    return seen


@pytest.mark.slow
@pytest.mark.parametrize("form", FORMS)
def test_losses_are_seen_whatever_a_program_reads_of_them(form: str, tmp_path: Path) -> None:
    head = HEAD + ("compiled = mx.compile(step, inputs=state, outputs=state)\n" if "compiled" in form else "")
    seen = seen_of(f"{head}for epoch in range(4):{FORMS[form]}", tmp_path)
    told = {one.step: one.value for one in seen.losses}
    assert len(told) == len(seen.losses) >= ENOUGH_LOSSES
    assert list(told) == sorted(told) and min(told) == 1
    text = FORMS["a sum"].replace("total += loss", "loss.item()").replace("print((total / 40).item())", "pass")
    read = seen_of(f"{HEAD}for epoch in range(4):{text}", tmp_path)
    known = {one.step: one.value for one in read.losses}
    assert all(value == pytest.approx(known[step], rel=1e-4) for step, value in told.items())


@pytest.mark.slow
def test_losses_of_steps_that_nothing_evaluates_are_not_evaluated(tmp_path: Path) -> None:
    text = "for epoch in range(4):\n    for one in batches():\n        loss = step(*one)\n    print(loss.item())\n"
    assert [one.step for one in seen_of(HEAD + text, tmp_path).losses] == [40, 80, 120, 160]
