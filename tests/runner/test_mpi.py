"""Two real ranks under `mpirun`, where MPI is installed: it waits on the threads that compute, and ends what errs."""

import shutil
import sys
from pathlib import Path

import mlx.core as mx
import pytest
from test_ranks import rows_of

MPIRUN = shutil.which("mpirun") or ""
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not MPIRUN or not mx.distributed.is_available("mpi"), reason="there is no MPI"),
]
LOOP = """
import os, signal, sys, time
import mlx.core as mx, mlx.nn as nn, mlx.optimizers as optim
how = sys.argv[1]
group = mx.distributed.init(backend="mpi")
rank = group.rank()
mx.random.seed(0)
model, optimizer = nn.Linear(8, 4), optim.SGD(0.05)
mx.eval(model.parameters())
mx.random.seed(rank)
gradients = nn.value_and_grad(model, lambda m, x: ((m(x) - x[:, :4]) ** 2).mean())
for step in range(16 if how == "slow" else 12 - (how == "uneven" and rank)):
    loss, grads = gradients(model, mx.random.normal((32, 8)))
    if rank and step == 6:
        if how == "skips": continue
        if how == "raises": raise ValueError("a bad batch")
        if how == "dies": os.kill(os.getpid(), signal.SIGKILL)
    if rank and how == "slow": time.sleep(0.4)  # held up
    if how == "equal": sum(range(400_000))
    if how == "order":
        for name in sorted(grads, reverse=bool(rank and step == 6)):
            grads[name] = mx.distributed.all_sum(grads[name])  # one by one
            mx.eval(grads[name])
    else:
        grads = nn.average_gradients(grads)  # averaged
    optimizer.update(model, grads)
    mx.eval(model.parameters(), optimizer.state, loss)
if how == "validates" and rank == 0:
    print(mx.distributed.all_sum(loss).item())  # alone
"""
ONE_BY_ONE, AVERAGED, ALONE, RAISED, HELD_UP = (
    next(number for number, line in enumerate(LOOP.splitlines(), 1) if text in line)
    for text in ("# one by one", "# averaged", "# alone", "raise ValueError", "# held up")
)
WAYS = [
    ("skips", {("MP701", AVERAGED)}),
    ("validates", {("MP701", ALONE)}),
    ("order", {("MP702", ONE_BY_ONE), ("MP704", 0)}),
    ("raises", {("MP704", RAISED)}),
    ("dies", {("MP704", 0)}),
    ("uneven", {("MP708", AVERAGED)}),
    ("slow", {("MP707", HELD_UP)}),  # the other spins: it is blamed for nothing
    ("equal", set()),
    ("averaged", set()),
]


@pytest.mark.parametrize(("how", "right"), WAYS, ids=[row[0] for row in WAYS])
def test_a_fault_under_mpirun_gets_its_code_at_its_line(
    how: str, right: set[tuple[str, int]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("OMPI_ALLOW_RUN_AS_ROOT", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM"):
        monkeypatch.setenv(name, "1")
    (tmp_path / "train.py").write_text(LOOP)
    words = (MPIRUN, "--oversubscribe", "-n", "2", sys.executable, "train.py", how)
    _, rows = rows_of(tmp_path, *words, options=("--stall-limit", "3"))
    assert [row["process"]["rank"] for row in rows] == [0, 1]
    found = {(one["code"], one.get("line", 0)) for row in rows for one in row["findings"] if one.get("together")}
    assert found == right
