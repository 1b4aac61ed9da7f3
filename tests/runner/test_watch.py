"""`mlxprobe watch`: a program behaves as it does without us, and is told of all the same."""

import shlex
import signal
import sys
import venv
from pathlib import Path

import pytest
from running import PRELUDE, Ran, report_of, run, watch

pytestmark = pytest.mark.slow

HANDLED = """
import os, signal
def heard(number, frame): print("heard", signal.Signals(number).name, flush=True)
for number in (signal.SIGURG, signal.SIGUSR1, signal.SIGTERM, signal.SIGINT, signal.SIGALRM):
    signal.signal(number, heard)
    os.kill(os.getpid(), number)
"""
SEEN = """
import json, os, sys, tempfile
kept = {k: v for k, v in os.environ.items() if k not in ("_", "SHLVL")}
print(json.dumps([sys.argv, __name__, __file__, os.getcwd(), kept, sys.path,
    tempfile.gettempdir(), sys.stdout.line_buffering,
    sys.stdout.write_through, os.open(os.devnull, 0), sorted(sys.warnoptions)]))
"""
FORKS = """
import multiprocessing
def work(queue): queue.put(sum(range(5)))
if __name__ == "__main__":
    for method in ("fork", "spawn"):
        context = multiprocessing.get_context(method)
        queue = context.Queue()
        worker = context.Process(target=work, args=(queue,))
        worker.start()
        print(method, queue.get(timeout=30)); worker.join(30); print(worker.exitcode)
"""
BECOMES = "import os, sys\nos.execv(sys.executable, [sys.executable] + "
SAME = [
    ("its view of the world", PRELUDE + SEEN, "one two -- -x --steps", 0),
    ("its standard input", PRELUDE + "import sys; print(sys.stdin.read().upper())", "", 0),
    ("its exit code", PRELUDE + "raise SystemExit(3)", "", 3),
    ("words to leave with", PRELUDE + "import sys; sys.exit('out of data')", "", 1),
    ("a traceback without our frames", PRELUDE + "mx.value_and_grad(lambda w: (w @ x).sum())(x)", "", 1),
    ("a chain of tracebacks", PRELUDE + "try:\n    mx.eval(mx.grad(lambda w: w / None)(x))\n"
     "except Exception as error:\n    raise KeyError('why') from error", "", 1),
    ("a traceback of a thread", PRELUDE + "import threading\nthread = threading.Thread(name='t', target=lambda: "
     "mx.grad(lambda w: w / None)(x))\nthread.start(); thread.join()", "", 0),
    ("an interrupt of its own", PRELUDE + "raise KeyboardInterrupt", "", -signal.SIGINT),
    ("an end without ceremony", PRELUDE + "import os; print('x', flush=True); os._exit(5)", "", 5),
    ("a death by signal", PRELUDE + "import os; os.kill(os.getpid(), 9)", "", -signal.SIGKILL),
    ("a crash", PRELUDE + "import os; os.kill(os.getpid(), 11)", "", -signal.SIGSEGV),
    ("signal handlers, of SIGURG too", PRELUDE + HANDLED, "", 0),
    ("a stdout of its own", PRELUDE + "import io, sys; sys.stdout = io.StringIO(); print('lost')\n"
     "sys.__stdout__.write(sys.stdout.getvalue() + 'found')", "", 0),
    ("worker processes", FORKS.replace("import m", "import mlx.core\nimport m", 1), "", 0),
    ("becoming a Python with MLX", PRELUDE + BECOMES + "['-c', 'import mlx.core as mx, os; "
     "print(mx.ones(2), os.environ.get(\"PYTHONPATH\"))'])", "", 0),
    ("becoming a Python without MLX", PRELUDE + BECOMES + "['-c', 'raise SystemExit(4)'])", "", 4),
    ("becoming true(1)", PRELUDE + "import os; os.execvp('true', ['true'])", "", 0),
    ("its own source", PRELUDE + "import inspect\ndef f(): return 42\n"
     "print(inspect.getsource(f), open(__file__).read())", "", 0),
    ("MLX patched by the program", PRELUDE + "before = mx.eval\n"
     "def loud(*a):\n    print('eval'); before(*a)\nmx.eval = loud\n"
     "old = optim.Optimizer.update\ndef update(self, model, grads):\n    print('update'); old(self, model, grads)\n"
     "optim.Optimizer.update = update\ntrain(2)", "", 0),
    ("an optimizer of its own", PRELUDE + "class Mine(optim.SGD):\n    def update(self, model, grads):\n"
     "        model.update(self.apply_gradients(grads, model)); print('mine')\n"
     "optimizer = Mine(0.1)\nprint(train(3) < 1)", "", 0),
    ("no MLX at all", "print('plain'); raise SystemExit(7)", "", 7),
    ("a look whether MLX is there", "from importlib import util; assert util.find_spec('mlx.core')" + PRELUDE, "", 0),
    ("nothing", "", "", 0),
]  # fmt: skip


@pytest.mark.parametrize(("source", "words", "code"), [row[1:] for row in SAME], ids=[row[0] for row in SAME])
def test_a_program_has_and_does_what_it_does_without_us(source: str, words: str, code: int, tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(source)
    changes = {"PYTHONPATH": f"{tmp_path}/lib:", "TMPDIR": str(tmp_path.parent)}
    bare = run([sys.executable, "train.py", *words.split()], tmp_path, "some words", **changes)
    ours, _ = report_of(tmp_path, "train.py", *words.split(), stdin="some words", **changes)
    assert ours == bare
    assert ours.code == code


OWN_FILE = """
import os
os.closerange(3, 256)
files = [open("mine%d" % k, "w+") for k in range(20)]
print(train(30))
for file in files: file.write("all of it"); file.seek(0); assert file.read() == "all of it"
"""
NO_TEMP = """
import glob, os, shutil, tempfile
for name in glob.glob(tempfile.gettempdir() + "/*"): shutil.rmtree(name, ignore_errors=True)
train(30); print("end")
"""
WORKERS = """
import subprocess, sys
code = "import mlx.core as mx; mx.eval(mx.ones(3) + 1); print('worker')"
for worker in [subprocess.Popen([sys.executable, "-c", code]) for _ in range(2)]: assert worker.wait() == 0
"""
ODD = [
    ("closed descriptors", PRELUDE + OWN_FILE, 55),
    ("a deleted temporary folder", PRELUDE + NO_TEMP, 55),
    ("workers that import MLX", WORKERS, 0),
    ("an end by os._exit", PRELUDE + "import os; os._exit(0)", 25),
]


@pytest.mark.parametrize(("source", "steps"), [row[1:] for row in ODD], ids=[row[0] for row in ODD])
def test_a_program_is_watched_through(source: str, steps: int, tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(source)
    (tmp_path / "temp").mkdir()
    ran, row = report_of(tmp_path, "train.py", TMPDIR=str(tmp_path / "temp"))
    assert (ran.code, ran.err) == (0, "")
    assert (row["outcome"], row.get("steps", 0)) == ("pass", steps)


def test_another_sitecustomize_still_runs(tmp_path: Path) -> None:
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "sitecustomize.py").write_text("import os\nos.environ['THEIRS'] = '1'\n")
    (tmp_path / "train.py").write_text(
        PRELUDE + "import os, sitecustomize; print(os.environ['THEIRS'], sitecustomize.__file__)"
    )
    ran, row = report_of(tmp_path, "train.py", PYTHONPATH=str(tmp_path / "lib"))
    assert ran == Ran(0, f"1 {tmp_path}/lib/sitecustomize.py\n", "")
    assert row["steps"] == 25


WAYS = [
    ("a module", ["-m", "pack.train", "--steps", "9"], 25),
    ("a command", ["--", sys.executable, "pack/train.py", "--steps", "9"], 25),
    ("a shell", ["--", "sh", "-c", f"cd pack && {shlex.quote(sys.executable)} train.py --steps 9; exit $?"], 25),
    ("a console script", ["--", "./script", "--steps", "9"], 25),
    ("a Python with MLX, without mlxprobe", ["--python", "other/bin/python", "pack/train.py", "--steps", "9"], 25),
    ("a Python that ignores its environment", ["--", sys.executable, "-I", "pack/train.py", "--steps", "9"], None),
]  # fmt: skip


@pytest.mark.parametrize(("words", "steps"), [row[1:] for row in WAYS], ids=[row[0] for row in WAYS])
def test_a_program_may_be_named_as(words: list[str], steps: int | None, tmp_path: Path) -> None:
    (tmp_path / "pack").mkdir()
    (tmp_path / "pack" / "train.py").write_text(PRELUDE + "import sys; print(sys.argv[1:], __name__); sys.exit(6)")
    start = f"""#!/bin/sh\n'''exec' {shlex.quote(sys.executable)} "$0" "$@"\n' '''\n"""  # as pip does for long paths
    (tmp_path / "script").write_text(f"{start}import pack.train\n")
    (tmp_path / "script").chmod(0o755)
    if "--python" in words:
        venv.create(tmp_path / "other", with_pip=False)
        site = next((tmp_path / "other").glob("lib/python*/site-packages"))
        here = next(Path(sys.prefix).glob("lib/python*/site-packages"))
        for one in (*here.glob("mlx"), *here.glob("mlx[-_]*.dist-info"), *here.glob("numpy*")):
            (site / one.name).symlink_to(one)
    ran, row = report_of(tmp_path, *words, PYTHONPATH=str(tmp_path) if "./script" in words else "")
    assert (ran.code, ran.err) == (6, "")
    assert ran.out.startswith("['--steps', '9'] ")
    if steps is None:
        assert row["outcome"] == "unjudged" and "did not load the agent (-I" in row["reason"]
    else:
        assert (row["outcome"], row["steps"]) == ("error", steps)


WRONG = [
    ("no program", [], "there is no program to watch"),
    ("no such script", ["nowhere.py"], "nowhere.py: there is no such script"),
    ("no such command", ["--", "./nowhere"], "cannot start ./nowhere"),
    ("a code that is none", ["--select", "MP9", "train.py"], "no finding has the code or name 'MP9'"),
    ("a baseline that is none", ["--baseline", "train.py", "train.py"], "train.py"),
]


@pytest.mark.parametrize(("words", "said"), [row[1:] for row in WRONG], ids=[row[0] for row in WRONG])
def test_wrong_usage_is_told(words: list[str], said: str, tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text("")
    ran = watch(tmp_path, *words)
    assert said in ran.err and ran.code == 2
    assert "Traceback" not in ran.err


def test_an_import_of_mlx_that_fails_is_not_called_none(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text("import mlx.core")
    (tmp_path / "mlx").mkdir()
    (tmp_path / "mlx" / "core.py").write_text("raise ImportError('libmlx.so: cannot open')")
    ran = watch(tmp_path, "train.py")
    assert "ImportError: libmlx.so" in ran.err and ran.code == 1
    assert "unjudged: its import of MLX did not finish" in " ".join(ran.err.split())


SUMMED = """
import mlx.core as mx, mlx.nn as nn, mlx.optimizers as optim
from mlx.utils import tree_map
mx.random.seed(0)
x = mx.random.normal((1000, 8))
y = x @ mx.random.normal((8, 1))
model, optimizer = nn.Linear(8, 1), optim.SGD(0.1)
gradients = nn.value_and_grad(model, lambda model, x, y: nn.losses.mse_loss(model(x), y))
for step in range(25):
    sums, total, order = None, mx.array(0.0), mx.random.permutation(1000)
    for k in range(250):
        rows = order[4 * k : 4 * k + 4]
        loss, grads = gradients(model, x[rows], y[rows])
        total = total + loss
        sums = grads if sums is None else tree_map(mx.add, sums, grads)
    optimizer.update(model, tree_map(lambda one: one / 250, sums))
    mx.eval(model.parameters(), optimizer.state, total)
    print((total / 250).item())
"""
WITHOUT_UPDATE = SUMMED.replace("    optimizer.update", "    None and optimizer.update")


@pytest.mark.parametrize(("program", "code"), [(SUMMED, ""), (WITHOUT_UPDATE, "MP306")], ids=["healthy", "no update"])
def test_gradients_summed_over_hundreds_of_calls_hide_nothing(program: str, code: str, tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(program)
    ran, row = report_of(tmp_path, "train.py")
    assert row["outcome"] != "unjudged", ran.err
    found = {one["code"] for one in row["findings"]}
    assert code in found if code else not found
    assert "events lost" not in {one["name"] for one in row.get("remarks", ())}
    assert row["sheet"]["gradients"] == 250 * 25
