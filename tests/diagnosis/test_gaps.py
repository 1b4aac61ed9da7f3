"""What could not be judged is told, and why."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from watching import GUARD_S

from mlxprobe.agent.inspectors import ALL
from mlxprobe.diagnosis import RULES
from mlxprobe.diagnosis.gaps import SEES, unchecked
from mlxprobe.supervisor.watch import observe
from mlxprobe.values.observation import Fact, Limits, Observation, Program

LIMITS = Limits(stall_s=1.0, startup_s=1.0, timeout_s=1.0, memory_bytes=1)

REFUSES = """
import mlx.core as mx, mlx.nn as nn, mlx.optimizers as optim

class Proud(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(4, 1)

    def __call__(self, x):
        if bool(mx.array_equal(x[:1], x[1:2]).item()):
            raise ValueError("two rows alike")
        return self.layer(x)

model, optimizer = Proud(), optim.SGD(0.01)
step = nn.value_and_grad(model, lambda x, y: nn.losses.mse_loss(model(x), y))
for _ in range(8):
    x = mx.random.normal((16, 4))
    loss, grads = step(x, x[:, :1])
    optimizer.update(model, grads)
    mx.eval(loss, model.parameters())
"""


def test_every_inspector_named_is_one_and_sees_something_for_a_rule() -> None:
    assert set(SEES) <= {one.__name__ for one in ALL}
    assert {code for codes in SEES.values() for code in codes.split()} <= set(RULES)


@pytest.mark.parametrize("inspector", sorted(SEES))
def test_what_an_inspector_that_fails_would_have_seen_is_not_checked(inspector: str) -> None:
    fact = Fact(name="inspector failed", detail={"inspector": inspector, "error": "KeyError: 'ours'"})
    told = unchecked(Observation(program="p", limits=LIMITS, facts=(fact,)))
    words = {one.code: one.message for one in told}
    assert all(words[code] == "the inspector failed: KeyError: 'ours'" for code in SEES[inspector].split())


@pytest.mark.slow
def test_a_model_that_refuses_other_rows_is_not_checked_and_why(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(REFUSES)
    program = Program(name="train", argv=("script", str(tmp_path / "train.py")), python=sys.executable)
    limits = Limits(stall_s=8.0, startup_s=GUARD_S, timeout_s=GUARD_S, memory_bytes=4_000_000_000)
    seen = observe(program, limits, jit_key="tests")
    told = {one.code: one.message for one in unchecked(seen)}
    assert told["MP312"].endswith("could not be called again with other rows (ValueError: two rows alike)")


FUNCTIONS = """
import mlx.core as mx, mlx.nn as nn

counted = {{"ids": 0}}

def loss_fn(p, ids):
    {count}
    z = (p["table"][ids[:, :-1]].mean(1, keepdims=True) + p["table"][ids[:, :-1]]) @ p["table"].T
    {loss}

mx.random.seed(1)
p = {{"table": 0.3 * mx.random.normal((11, 8))}}
gradients = {made}
for _ in range(40):
    loss, grads = gradients(p, mx.random.randint(0, 11, (6, 9)))
    p = {{"table": p["table"] - 0.1 * grads["table"]}}
    mx.eval(p, loss)
"""
COUNTS = 'counted["ids"] += ids.size'
PICKED = "return nn.losses.cross_entropy(z, ids[:, 1:]).mean()"
ONE_HOT = "return (mx.logsumexp(z, axis=-1) - (z * mx.eye(11)[ids[:, 1:]]).sum(-1)).mean()"
PLAIN = "mx.value_and_grad(loss_fn)"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("count", "loss", "made", "why"),
    [
        (COUNTS, PICKED, PLAIN, "a second call could show: the loss writes counted['ids'] at train.py:7"),
        (COUNTS, PICKED, f"mx.compile({PLAIN})", "could not look inside the compiled function of train.py:13"),
        ("pass", ONE_HOT, PLAIN, "no embedding and no target was seen"),
        ("pass", PICKED, PLAIN, ""),
    ],
)
def test_a_loss_of_plain_functions_that_is_not_called_anew_is_told(
    count: str, loss: str, made: str, why: str, tmp_path: Path
) -> None:
    (tmp_path / "train.py").write_text(FUNCTIONS.format(count=count, loss=loss, made=made))
    program = Program(name="train", argv=("script", str(tmp_path / "train.py")), python=sys.executable)
    limits = Limits(stall_s=8.0, startup_s=GUARD_S, timeout_s=GUARD_S, memory_bytes=4_000_000_000)
    seen = observe(program, limits, jit_key="tests")
    told = {one.code: one.message for one in unchecked(seen)}
    assert told.get("MP307", "").startswith(why) and ("MP307" in told) == bool(why)
