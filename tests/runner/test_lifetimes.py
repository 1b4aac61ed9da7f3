"""What the program lets go of is gone, and signals that it has blocked wait: watched as unwatched."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from running import MLXPROBE, run

pytestmark = pytest.mark.slow

TRAINS = """
import gc, signal, weakref
{first}
import mlx.core as mx, mlx.nn as nn, mlx.optimizers as optim
model, optimizer = nn.Linear(4, 1), optim.SGD(learning_rate=0.05)
x = mx.random.normal((32, 4))
gradients = nn.value_and_grad(model, lambda model, x: (model(x) ** 2).mean())
for _ in range(10):
    loss, grads = gradients(model, x)
    optimizer.update(model, grads)
    mx.eval(model.parameters(), optimizer.state, loss)
    loss.item()
{last}
"""
CASES = [
    ("", "known = weakref.ref(model)\ndel model, gradients, optimizer, loss, grads\ngc.collect()\nprint(known())",
     "None\n"),
    ("signal.signal(signal.SIGUSR1, lambda *_: print('taken'))\n"
     "signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})",
     "import os\nos.kill(os.getpid(), signal.SIGUSR1)\nprint(*signal.sigpending())", "10\n"),
    ("", "class Odd(Exception):\n    def __getattr__(self, name):\n        if not name.startswith('_'): print(name)\n"
     "        raise AttributeError(name)\nraise Odd", "print_file_and_line\n"),
]  # fmt: skip


@pytest.mark.parametrize(("first", "last", "shown"), CASES, ids=["a model", "a blocked signal", "an exception"])
def test_the_program_sees_what_it_sees_unwatched(first: str, last: str, shown: str, tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(TRAINS.format(first=first, last=last))
    bare = run([sys.executable, "train.py"], tmp_path)
    watched = run([*MLXPROBE, "watch", "train.py"], tmp_path)
    assert (bare.out, watched.out, watched.code) == (shown, shown, bare.code), watched.err
