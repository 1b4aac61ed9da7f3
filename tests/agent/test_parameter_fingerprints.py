"""The prints of parameters: the same steps on every rank, equal where parameters are, and bit-equal results."""

import sys
from pathlib import Path

import pytest
from watching import GUARD_S

from mlxprobe.diagnosis.ranks.parameter_fingerprints import first_apart, prints
from mlxprobe.protocol.facts.ranks import ParametersHashed
from mlxprobe.protocol.facts.work import DetectorFailed
from mlxprobe.schema.observation import Limits, Observation, Program, Sighting
from mlxprobe.supervisor.watch import observe

LIMITS = Limits(stall_s=20.0, startup_s=GUARD_S, timeout_s=GUARD_S, memory_bytes=4_000_000_000)
LOOP = """
import sys
import mlx.core as mx, mlx.nn as nn, mlx.optimizers as optim
seed, way = int(sys.argv[1]), sys.argv[2]
mx.random.seed(seed)
model, optimizer = nn.Linear(4, 2), optim.SGD(0.1)
x = mx.ones((8, 4))
f = nn.value_and_grad(model, lambda model, x: mx.mean(model(x) ** 2))
def step(x):
    value, grads = f(model, x)
    optimizer.update(model, grads)
    return value
if way == "compiled":
    step = mx.compile(step, inputs=[model.state, optimizer.state], outputs=[model.state, optimizer.state])
for _ in range(20):
    value = step(x)
    mx.eval(model.state, optimizer.state, value)
print(model.weight.tolist())
"""

pytestmark = pytest.mark.slow


def watched(folder: Path, seed: int = 0, way: str = "eager", rank: str = "0") -> Observation:
    (folder / "loop.py").write_text(LOOP)
    env = {"MLX_RANK": rank} if rank else {}
    program = Program(name="loop", command=(sys.executable, str(folder / "loop.py"), str(seed), way), env=env)
    seen = observe(program, LIMITS)
    assert seen.exit_code == 0, seen.output_tail
    assert [*seen.every(DetectorFailed)] == []
    return seen


@pytest.mark.parametrize("way", ["eager", "compiled"])
def test_equal_parameters_have_equal_prints_at_the_steps_that_all_look_at(tmp_path: Path, way: str) -> None:
    runs = [prints(watched(tmp_path, way=way, rank=rank)) for rank in "01"]
    assert {1, 2, 3, 4} <= set(runs[0]) & set(runs[1]) <= {1, 2, 3, 4, 6, 8, 12, 16}
    assert first_apart(dict(enumerate(runs))) is None
    assert len({one.fact.bits for one in runs[0].values()}) > 1  # it learns
    assert {one.fact.elements for one in runs[0].values()} == {10}


def test_another_seed_shows_before_the_first_update(tmp_path: Path) -> None:
    parting = first_apart({seed: prints(watched(tmp_path, seed)) for seed in (0, 1)})
    assert parting is not None
    assert (parting.step, parting.equal_at, parting.parts, parting.place[1]) == (1, 0, [[0], [1]], 10)


def test_nothing_is_printed_of_a_program_without_ranks_and_nothing_changes(tmp_path: Path) -> None:
    alone, ranked = watched(tmp_path, rank=""), watched(tmp_path)
    assert prints(alone) == {}
    assert alone.output_tail == ranked.output_tail


def test_ranks_of_other_models_cannot_be_compared() -> None:
    mine, other = (
        Sighting(fact=ParametersHashed(at=1, of=of, bits=bits, values=(1.0,), elements=1)) for of, bits in ("a1", "b2")
    )
    assert first_apart({0: {1: mine}, 1: {1: other}}) is None
    assert first_apart({0: {1: mine}, 1: {2: mine}}) is None
