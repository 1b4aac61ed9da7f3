"""Several processes under one watch: launched, spawned, forked, started by a shell; and what becomes of each."""

from __future__ import annotations

import json
import os
import shlex
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from running import MLXPROBE, Ran, Terminal, own_environment, run, watch
from watching import GUARD_S, MARK, commands, marked, until

pytestmark = pytest.mark.slow

LAUNCH = str(Path(sys.executable).with_name("mlx.launch"))
MODEL = """
import os, sys, time
import mlx.core as mx, mlx.nn as nn, mlx.optimizers as optim
how = sys.argv[1] if len(sys.argv) > 1 else ""
def trained(rank=0, average=lambda grads: grads, steps=12):
    mx.random.seed(0)
    model, optimizer = nn.Linear(8, 1), optim.SGD(0.05)
    mx.random.seed(rank)
    x = mx.random.normal((32, 8)); y = x.sum(1, keepdims=True)
    gradients = nn.value_and_grad(model, lambda m: ((m(x) - y) ** 2).mean())
    for step in range(1, steps + 1):
        loss, grads = gradients(model)
        if rank == 1 and step == 7:
            if how == "raise": raise ValueError("rank 1 fails")
            if how == "kill": os.kill(os.getpid(), 9)
            if how == "crash": import ctypes; ctypes.string_at(0)
            if how == "leave": os._exit(3)
        if how == "alone" and rank == 0 and step == 7: mx.eval(mx.distributed.all_max(loss))
        optimizer.update(model, average(grads))
        mx.eval(model.parameters(), optimizer.state)
        loss.item()
    return loss.item()
"""
RANK = MODEL + "group = mx.distributed.init()\ntrained(group.rank(), nn.average_gradients)\n"
WORKER = MODEL + "trained(int(os.environ.get('NUMBER', 0)))\n"


def line_of(text: str) -> int:
    return next(number for number, line in enumerate(RANK.splitlines(), 1) if text in line)


def free_port() -> int:
    """Return a port that is free, with the next one."""
    while True:
        with socket.socket() as first, socket.socket() as second:
            first.bind(("127.0.0.1", 0))
            try:
                second.bind(("127.0.0.1", first.getsockname()[1] + 1))
            except OSError:
                continue
            return int(first.getsockname()[1])


def launch(*words: str) -> list[str]:
    return [LAUNCH, "-n", "2", "-p", str(free_port()), sys.executable, "train.py", *words]


def rows_of(folder: Path, *words: str, options: tuple[str, ...] = ()) -> tuple[Ran, list[dict[str, Any]]]:
    """Watch a command, and return what came out of it with a row for each process that trains."""
    file = folder.parent / f"{folder.name}-report.json"
    ran = watch(folder, "--format", "json", "--output", str(file), *options, "--", *words)
    assert file.is_file(), ran.err
    return ran, json.loads(file.read_text())["programs"]


def ranks(rows: list[dict[str, Any]]) -> list[int]:
    return [row["process"].get("rank", -1) for row in rows]


def test_both_ranks_are_watched_and_what_they_have_in_common_is_said_once(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(RANK)
    ran, rows = rows_of(tmp_path, *launch())
    assert [(row["outcome"], row["steps"]) for row in rows] == [("pass", 12)] * 2, ran.err
    assert ranks(rows) == [0, 1]
    assert rows[0]["losses"] != rows[1]["losses"], "each has its own data"
    for row in rows:
        told = [(one["n"], one["operation"], one["shape"], one["step"], one["line"]) for one in row["collectives"]]
        assert told == [(n, "all_sum", [9], n, line_of("average(grads))")) for n in range(1, 13)]
        assert all(one["built_s"] <= one["begun_s"] <= one["done_s"] for one in row["collectives"])
        assert 2**22 < max(one["rss_bytes"] for one in row["samples"]) < 2**31, "however short it lived"
    text = " ".join(ran.err.split())
    assert "rank 0 of 2, process" in text and "rank 1 of 2, process" in text
    assert text.count("not checked: MP303") == 1 and "(all 2 ranks)" in text
    assert ran.code == 0


ENDS = [
    ("kill", "crash", "ended by SIGKILL"),
    ("crash", "crash", f"ended by SIGSEGV at train.py:{line_of('ctypes')}"),
    ("raise", "error", "ValueError: rank 1 fails"),
    ("leave", "crash", "left with exit code 3 by os._exit"),
]


@pytest.mark.parametrize(("how", "outcome", "reason"), ENDS, ids=[row[0] for row in ENDS])
def test_a_rank_that_ends_badly_is_told(how: str, outcome: str, reason: str, tmp_path: Path) -> None:
    """The launcher leaves with 0 all the same."""
    (tmp_path / "train.py").write_text(RANK)
    ran, rows = rows_of(tmp_path, *launch(how), options=("--fail-on", "error"))
    assert ranks(rows) == [0, 1]
    assert rows[1]["outcome"] == outcome
    assert rows[1]["reason"].startswith(reason), rows[1]["reason"]
    assert rows[0]["outcome"] in ("error", "crash")  # its peer is gone, or the launcher ends it before it notices
    assert "healthy" not in ran.err
    assert ran.code == 1


def test_a_hang_shows_where_each_rank_stands_and_waits(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(RANK)
    _, rows = rows_of(tmp_path, *launch("alone"), options=("--stall-limit", "1"))
    assert [(row["outcome"], row["process"]["rank"], row["steps"]) for row in rows[1:]] == [("hang", 1, 6)]
    assert rows[0]["outcome"] == "hang"
    last = [row["collectives"][-1] for row in rows]
    assert [(one["n"], one["operation"], one["step"]) for one in last] == [(7, "all_max", 7), (7, "all_sum", 7)]
    assert all("done_s" not in one and one["begun_s"] > 0 for one in last), "neither has come back"
    assert [one.get("sure", False) for one in last] == [True, False]
    for row, text in zip(rows, ("all_max(loss)", "mx.eval(model.parameters()"), strict=True):
        lines = [frame["line"] for stack in row["stacks"] for frame in stack["frames"]]
        assert line_of(text) in lines
        assert {stack["pid"] for stack in row["stacks"]} == {row["process"]["pid"]}


JOBS = """
import subprocess, sys
launch, order, port, other_port, *words = sys.argv[1:]
jobs = []
for size, at, given in (("2", port, ["8"]), ("3", other_port, ["16", *words])):
    jobs.append(subprocess.Popen([launch, "-n", size, "-p", at, sys.executable, "job.py", *given]))
    if order == "in turn": jobs[-1].wait()
for one in jobs: one.wait()
"""
JOB = """
import sys
import mlx.core as mx, mlx.nn as nn, mlx.optimizers as optim
group = mx.distributed.init()
mx.random.seed(group.rank() if "apart" in sys.argv else 0)
model, optimizer = nn.Linear(int(sys.argv[1]), 1), optim.SGD(0.05)
mx.eval(model.parameters())
mx.random.seed(group.rank())
gradients = nn.value_and_grad(model, lambda m, x: ((m(x) - x.sum(1, keepdims=True)) ** 2).mean())
for step in range(12):
    loss, grads = gradients(model, mx.random.normal((32, int(sys.argv[1]))))
    optimizer.update(model, nn.average_gradients(grads))
    mx.eval(model.parameters(), optimizer.state, loss)
    if "alone" in sys.argv and step == 6 and group.rank() == 1:
        print(mx.distributed.all_max(loss).item())
"""
ROWS_OF_JOBS = [(1, 0, 2), (1, 1, 2), (2, 0, 3), (2, 1, 3), (2, 2, 3)]
TWO_JOBS = [
    ("in turn", "", []),
    ("side by side", "", []),
    ("in turn", "apart", ["MP705"]),
    ("in turn", "alone", ["MP701"]),
]


@pytest.mark.parametrize(("order", "how", "codes"), TWO_JOBS, ids=[" ".join(row[:2]) for row in TWO_JOBS])
def test_each_job_has_ranks_of_its_own(order: str, how: str, codes: list[str], tmp_path: Path) -> None:
    """The first has two ranks and is well, the second has three, and another model."""
    (tmp_path / "jobs.py").write_text(JOBS)
    (tmp_path / "job.py").write_text(JOB)
    ports = str(free_port()), str(free_port() + 8)
    words = (sys.executable, "jobs.py", LAUNCH, order, *ports, how)
    ran, rows = rows_of(tmp_path, *words, options=("--stall-limit", "3"))
    known = [row["process"] for row in rows]
    sizes = [(one["job"], one["rank"], one["size"]) for one in known]
    assert (
        sizes == ROWS_OF_JOBS
        if order == "in turn"
        else sorted(one[1:] for one in sizes) == sorted(one[1:] for one in ROWS_OF_JOBS)
    )
    for row in rows:
        found = [one["code"] for one in row["findings"] if one.get("together")]
        assert found == (codes if row["process"]["size"] == 3 else []), ran.err
    assert "job 1, rank 1 of" in ran.err and "\njob 2:" in ran.err


SHARED = """
import mlx.core as mx, mlx.nn as nn, mlx.optimizers as optim
group = mx.distributed.init()
class Shared(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed, self.out = nn.Embedding(11, 8), nn.Linear(8, 11)
    def __call__(self, ids): return mx.distributed.all_sum(self.out(self.embed(ids)), group=group)
mx.random.seed(0)
model, optimizer = Shared(), optim.SGD(0.05)
mx.random.seed(group.rank())
ids = mx.random.randint(0, 11, (4, 7))
def loss_fn(model, ids, scale): return nn.losses.cross_entropy(model(ids[:, :-1]), ids[:, 1:]).mean() * mx.log(scale)
gradients = nn.value_and_grad(model, loss_fn)
for step in range(1, 13):
    loss, grads = gradients(model, ids, mx.array(-1.0 if step == 5 + 2 * group.rank() else 2.0))
    optimizer.update(model, grads)
    mx.eval(model.parameters(), optimizer.state)
    with open(f"rank-{group.rank()}.txt", "a") as file:  # the launcher may lose a line
        print(step, loss.item(), file=file)
"""


def test_nothing_is_computed_again_where_the_other_rank_would_hear_of_it(tmp_path: Path) -> None:
    """A search for the NaN of step 5 would send rank 1 what it takes for step 6: there its loss shows it first."""
    (tmp_path / "train.py").write_text(SHARED)
    files = [tmp_path / f"rank-{rank}.txt" for rank in (0, 1)]
    run(launch(), tmp_path)
    bare = [file.read_text() for file in files]
    for file in files:
        file.unlink()
    _, rows = rows_of(tmp_path, *launch())
    assert [file.read_text() for file in files] == bare
    assert [row["outcome"] for row in rows] == ["nan", "nan"]
    assert [[one["n"] for one in row["collectives"]] for row in rows] == [list(range(1, 13))] * 2


SPAWNS = (
    MODEL
    + """
def work(number):
    return trained(number)
if __name__ == "__main__":
    import concurrent.futures, multiprocessing
    context = multiprocessing.get_context(sys.argv[1])
    if sys.argv[2] == "pool":
        with concurrent.futures.ProcessPoolExecutor(2, mp_context=context) as pool: list(pool.map(work, [0, 2]))
    else:
        made = [context.Process(target=work, args=(number,)) for number in (0, 2)]
        for one in made: one.start()
        for one in made: one.join()
"""
)
METHODS = [("spawn", "process"), ("spawn", "pool"), ("fork", "process"), ("forkserver", "process")]


@pytest.mark.parametrize(("method", "kind"), METHODS, ids=[" ".join(row) for row in METHODS])
def test_workers_that_train_are_programs_and_who_started_them_is_none(method: str, kind: str, tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(SPAWNS)
    ran, rows = rows_of(tmp_path, sys.executable, "train.py", method, kind)
    steps = [row["steps"] for row in rows]
    assert sum(steps) == 24 and len(steps) in (1, 2), "a pool may give both to one"
    assert (kind == "pool") or steps == [12, 12]
    assert {row["outcome"] for row in rows} == {"pass"}
    assert ran.code == 0 and "no training step" not in ran.err


def test_a_shell_that_starts_two(tmp_path: Path) -> None:
    """Nobody tells us how a shell's child ended: that it is gone is known, and that it had not come to its end."""
    (tmp_path / "train.py").write_text(WORKER)
    python = shlex.quote(sys.executable)
    start = f"{python} train.py & NUMBER=1 {python} train.py kill & wait; exit 0"
    ran, rows = rows_of(tmp_path, "sh", "-c", start)
    found = {row["outcome"]: row for row in rows}
    assert set(found) == {"pass", "crash"} and found["pass"]["steps"] == 12
    assert "gone without a word at step 6" in found["crash"]["reason"]
    assert ran.code == 0


STARTS = """
import os, shlex, subprocess, sys
import mlx.core
os.environ["PYTHONPATH"] = os.path.abspath("mine")
order = [sys.executable, "train.py"]
kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
for env in (None, kept, {**os.environ, "PYTHONPATH": "theirs"}):
    assert subprocess.run(order, env=env).returncode == 0
assert os.posix_spawn(order[0], order, kept) and os.wait()[1] == 0
assert os.spawnve(os.P_WAIT, order[0], order, kept) == 0
assert os.system(shlex.join(order)) == 0
del os.environ["PYTHONPATH"]
assert os.system(shlex.join(order)) == 0
"""


def test_whatever_way_a_program_starts_another_it_is_watched_and_sees_nothing_of_it(tmp_path: Path) -> None:
    (tmp_path / "start.py").write_text(STARTS)
    shown = "hidden = ('_', 'SHLVL')\nprint(sorted((k, v) for k, v in os.environ.items() if k not in hidden), sys.path)"
    (tmp_path / "train.py").write_text(WORKER + shown)
    bare = run([sys.executable, "start.py"], tmp_path)
    ran, rows = rows_of(tmp_path, sys.executable, "start.py")
    assert bare.code == ran.code == 0, ran.err
    assert ran.out == bare.out
    assert [(row["outcome"], row["steps"]) for row in rows] == [("pass", 12)] * 7


ENDLESS = RANK.replace("steps=12", "steps=10**9").replace(
    "        loss.item()\n",
    "        loss.item()\n        if step == 20: open(f'trains-{rank}', 'w').write(str(os.getppid()))\n"
    "        if os.path.exists('go'): open(f'goes-{rank}', 'w').close()\n",
)


@pytest.mark.parametrize("who", ["launcher", "supervisor"])
def test_ranks_go_on_as_they_would_unwatched_after_a_killed(who: str, tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(ENDLESS)
    mark = f"{who}-{os.getpid()}-{free_port()}"
    order = [*MLXPROBE, "watch", "--", *launch()]
    environment = own_environment(**{MARK: mark})
    with subprocess.Popen(
        order, cwd=tmp_path, env=environment, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE
    ) as ours:
        try:
            assert until(lambda: [one.stat().st_size > 0 for one in tmp_path.glob("trains-*")] == [True, True])
            (launcher,) = {int(one.read_text()) for one in tmp_path.glob("trains-*")}
            if who == "supervisor":
                ours.kill()
            else:
                os.kill(launcher, signal.SIGKILL)
            ours.wait(timeout=GUARD_S)
            assert ours.returncode == -signal.SIGKILL
            trains = [one for one in commands(mark) if "train.py" in one and "launch" not in one]
            assert len(trains) == 2, commands(mark)
            (tmp_path / "go").touch()
            assert until(lambda: len([*tmp_path.glob("goes-*")]) == 2)
        finally:
            for one in marked(mark):
                one.kill()


SOON = (
    "from mlxprobe.runner import watch_session; watch_session.STALL_FLOOR_S = 3; watch_session.STALL_FACTOR = 0; "
    "from mlxprobe.cli import entry_point; entry_point()"
)


def test_a_hang_of_ranks_ends_the_watch_for_a_finding(tmp_path: Path) -> None:
    """No single rank shows it."""
    (tmp_path / "train.py").write_text(RANK)
    file = tmp_path / "report.json"
    order = ["watch", "--until-finding", "--format", "json", "--output", str(file), "--", *launch("alone")]
    ran = run([sys.executable, "-c", SOON, *order], tmp_path)
    rows = json.loads(file.read_text())["programs"]
    assert [row["outcome"] for row in rows] == ["hang", "hang"]
    for row in rows:
        assert [one["line"] for one in row["findings"] if one["code"] == "MP701"] == [line_of("all_max(loss)")]
    assert ran.code == 1


GOES_ON = (
    MODEL
    + """
group = mx.distributed.init()
if group.rank() == 1: mx.eval(mx.distributed.all_max(mx.array(1.0)))  # alone
trained(steps=10**9)
"""
)


def test_who_waits_for_a_rank_that_goes_on_is_told(tmp_path: Path) -> None:
    """There is no silence."""
    (tmp_path / "train.py").write_text(GOES_ON)
    line = next(number for number, text in enumerate(GOES_ON.splitlines(), 1) if "# alone" in text)
    with Terminal(
        [sys.executable, "-c", SOON, "watch", "--no-live", "--", *launch()], tmp_path, columns=140
    ) as terminal:
        terminal.until(rf"mlxprobe: rank 0 is behind: rank 1 waits \d+ s in 1 all_max \(train\.py:{line}\)")


def test_a_hang_of_ranks_is_in_the_file_while_it_lasts(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(RANK)
    file, mark = tmp_path / "report.json", f"lasts-{os.getpid()}-{free_port()}"
    order = ["watch", "--format", "json", "--output", str(file), "--", *launch("alone")]
    with subprocess.Popen(
        [sys.executable, "-c", SOON, *order], cwd=tmp_path, env=own_environment(**{MARK: mark}),
        stderr=subprocess.DEVNULL,
    ) as ours:  # fmt: skip
        try:
            assert until(file.is_file)
            told = json.loads(file.read_text())
            assert ours.poll() is None
            assert told["complete"] is False
            for row in told["programs"]:
                assert {one["line"] for one in row["findings"] if one["code"] == "MP701"} == {line_of("all_max(loss)")}
        finally:
            ours.kill()
            ours.wait(GUARD_S)
            for one in marked(mark):  # they outlive who watches them
                one.kill()
            assert until(lambda: not commands(mark)), commands(mark)


def test_a_hang_of_ranks_is_told_while_it_lasts(tmp_path: Path) -> None:
    """In the status line, then with its finding and where each rank stands."""
    (tmp_path / "train.py").write_text(RANK)
    order = [sys.executable, "-c", SOON, "watch", "--", *launch("alone")]
    with Terminal(order, tmp_path, columns=140) as terminal:
        alone, joined = line_of("all_max(loss)"), line_of("average(grads))")
        places = rf"rank 0 in 7 all_max \(train.py:{alone}\); rank 1 in 7 all_sum \(train.py:{joined}\)"
        terminal.until(rf"step 6 in 2 ranks, ranks wait \d+ s apart: {places}")
        terminal.until(r"nothing has moved for \d+ s .*Ctrl-C[\s\S]*MP701 error rank-behind: rank 0 alone built")
        terminal.until(rf"waits at train\.py:{alone}\s[^\[]*\[MP701\]")  # folded where it has waited for long


KILLED_IMPORTING = """
import os, sys, threading, time
from pathlib import Path
there = Path(__file__).with_name("there")
if os.environ["MLX_RANK"] == "1":
    while not there.exists():  # the launcher ends the other one, too: that one is to have got somewhere
        time.sleep(0.01)
    sys.setswitchinterval(1e-5)
    def watch():
        while True:
            with open("/proc/self/maps") as maps:
                if "libmlx" in maps.read(): os.kill(os.getpid(), 9)
    threading.Thread(target=watch, daemon=True).start()
import mlx.core as mx
there.touch()
time.sleep(1)
"""


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="when it imports MLX is read off its maps")
def test_a_rank_that_is_killed_while_it_imports_mlx_is_told(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(KILLED_IMPORTING)
    ran, rows = rows_of(tmp_path, *launch(), options=("--fail-on", "error"))
    assert ranks(rows) == [0, 1], ran.err
    assert (rows[1]["outcome"], rows[1]["reason"]) == ("crash", "ended by SIGKILL while it imported MLX")
    assert "not watched" not in ran.err
    assert ran.code == 1
