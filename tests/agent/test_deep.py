"""Deep lazy graphs are drawn, or not checked: the program never dies of it."""

import subprocess
import sys
import threading
from pathlib import Path

import mlx.core as mx
import pytest
from watching import GUARD_S

from mlxprobe import system
from mlxprobe.agent.graph import export, lazy_graph
from mlxprobe.agent.wire import bound
from mlxprobe.protocol.facts.work import DetectorFailed
from mlxprobe.schema.observation import Limits, Observation, Program
from mlxprobe.supervisor.watch import observe
from mlxprobe.system import stack

LIMITS = Limits(stall_s=120.0, startup_s=GUARD_S, timeout_s=GUARD_S, memory_bytes=8_000_000_000)
LEVEL_BYTES = 129  # of stack, as `export` says
MODEL = """
import sys, threading
import mlx.core as mx, mlx.nn as nn, mlx.optimizers as optim

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.line = nn.Linear(2, 2)

    def __call__(self, x):
        for _ in range(DEPTH):
            x = mx.sin(x)
        return self.line(x)

mx.random.seed(0)
model, optimizer = Net(), optim.SGD(0.1)
mx.eval(model.parameters(), optimizer.state)

def loss_fn(model, x, y):
    return mx.mean((model(x) - y) ** 2)

grads_of = nn.value_and_grad(model, loss_fn)

def step(x, y):
    loss, grads = grads_of(model, x, y)
    optimizer.update(model, grads)
    return loss
"""
LOOP = """
def train():
    x, y = mx.ones((4, 2)), mx.zeros((4, 2))
    total = mx.array(0.0)
    for _ in range(2):
        total = total + step(x, y)
        mx.eval(model.state, optimizer.state, total)
    print("%.4f" % total.item())
"""
ENDLESS = """
def train():
    h = mx.array([0.5, 0.5])
    for _ in range(DEPTH):
        h = mx.sin(h)
    x, y = mx.broadcast_to(h, (4, 2)), mx.zeros((4, 2))
    print("%.4f" % step(x, y).item())
"""
SHALLOW = "Net.__call__ = lambda self, x: self.line(x)\n"
MAIN = "train()\n"
THREAD = """
threading.stack_size(1 << 19)
thread = threading.Thread(target=train)
thread.start()
thread.join()
"""
COMPILED = "step = mx.compile(step, inputs=[model.state, optimizer.state], outputs=[model.state, optimizer.state])\n"
RECURRENT = """
def step(x, y, _state=mx.zeros((2,))):
    def loss_fn(model):
        h = _state
        for _ in range(DEPTH):
            h = h * 0.5 + x[0]
        return mx.mean((model.line(h) - y[0]) ** 2)

    loss, grads = nn.value_and_grad(model, loss_fn)(model)
    optimizer.update(model, grads)
    return loss
"""
PROGRAMS = {
    "a model of 80,000 layers": (80_000, LOOP + MAIN),
    "a recurrence of 40,000 steps": (40_000, RECURRENT + LOOP + MAIN),
    "a step on data with 100,000 operations pending": (100_000, SHALLOW + ENDLESS + MAIN),
    "a compiled step": (30_000, COMPILED + LOOP + MAIN),
    "a thread with 512 KB": (5_500, LOOP + THREAD),
    "a thread with 512 KB, data with 7,000 operations pending": (7_000, SHALLOW + ENDLESS + THREAD),
}


def watched(file: Path, **environment: str) -> Observation:
    return observe(Program(name="deep", command=(sys.executable, str(file)), env=environment), LIMITS)


@pytest.mark.slow
@pytest.mark.parametrize("way", ["", "portable"])
@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_with_a_deep_graph_ends_as_it_does_unwatched(name: str, way: str, tmp_path: Path) -> None:
    depth, rest = PROGRAMS[name]
    file = tmp_path / "deep.py"
    file.write_text(f"DEPTH = {depth}\n" + MODEL + rest)
    bare = subprocess.run([sys.executable, str(file)], capture_output=True, text=True, check=False)
    assert bare.returncode == 0, bare.stderr
    seen = watched(file, MLXPROBE_PLATFORM=way)
    assert seen.exit_code == 0, seen.output_tail
    assert seen.output_tail.strip() == bare.stdout.strip()
    assert [*seen.every(DetectorFailed)] == []


def chain(depth: int) -> mx.array:
    array = mx.array([0.5, 0.5])
    for _ in range(depth):
        array = mx.sin(array)
    return array


@pytest.mark.slow
def test_a_drawing_is_as_deep_as_the_memory_allows() -> None:
    deep, found = chain(400_000), []
    found.append(lazy_graph.pending([deep]))
    before = threading.stack_size(1 << 19)
    thread = threading.Thread(target=lambda: found.append(lazy_graph.pending([deep])))
    thread.start()
    thread.join()
    assert found == [400_000, 400_000]
    assert threading.stack_size(before) == 1 << 19


def test_no_drawing_where_no_stack_is_deep_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stack, "grown", lambda *_: 0)
    monkeypatch.setattr(export._Main, "of", (0, 0))

    def refused(*_: object) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(bound, "start_new_thread", refused)
    before = threading.stack_size()
    with pytest.raises(export.UndrawableError, match="can't start new thread"):
        lazy_graph.drawn([chain(3)])
    assert threading.stack_size() == before


def test_green_threads_are_not_taken_for_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stack, "grown", lambda *_: 0)
    monkeypatch.setattr(export._Main, "of", (0, 0))
    monkeypatch.setattr(bound, "start_new_thread", lambda run, _: run())
    with pytest.raises(export.UndrawableError, match="share one stack"):
        lazy_graph.drawn([chain(3)])


@pytest.mark.skipif(not system.LINUX, reason="reads /proc")
def test_an_operation_takes_more_memory_than_a_level_takes_stack() -> None:
    """The proof of `export`: the memory of the operations bounds the depth."""
    program = """
import mlx.core as mx

def resident():
    return int(open("/proc/self/statm").read().split()[1]) * 4096

array = mx.array(0.5)
before = resident()
for _ in range(400_000):
    array = mx.sin(array)
print((resident() - before) / 400_000)
"""
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert float(ran.stdout) > 2 * LEVEL_BYTES
