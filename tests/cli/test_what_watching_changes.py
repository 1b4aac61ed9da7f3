"""A program differs under `watch` in what the page "What watching changes" lists, and in nothing else."""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path
from typing import Any

import pytest
from running import MLXPROBE, run

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "guide" / "what-watching-changes.md").read_text()

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")]

# Every value is either compared as it is, or belongs to the row of the page that its name begins with.
SNAPSHOT = """
import builtins, faulthandler, gc, inspect, json, os, re, resource, signal, subprocess, sys, tempfile, threading
import traceback
import mlx.core as mx, mlx.nn as nn, mlx.optimizers as optim

mx.random.seed(1)
class Counts(nn.Linear):
    def parameters(self):
        calls.append("parameters")
        return super().parameters()
calls = []
model, optimizer = Counts(4, 1), optim.Adam(0.1)
x = mx.random.normal((8, 4))
gradients = nn.value_and_grad(model, lambda x: (model(x) ** 2).mean())
for _ in range(20):
    loss, grads = gradients(x)
    optimizer.update(model, grads)
    mx.eval(model.parameters(), optimizer.state)

def frames(call):
    try:
        call()
    except Exception:
        return [line for line in traceback.format_exc().splitlines() if line.startswith("  File")]

def kinds(owner):
    return {name: type(one).__name__ for name, one in vars(owner).items() if callable(one)}

def made_by_us(owner):
    code = {name: getattr(one, "__code__", None) for name, one in vars(owner).items()}
    return sorted(name for name, one in code.items() if "mlxprobe" in getattr(one, "co_filename", ""))

def described(owner):
    told = ("__name__", "__qualname__", "__doc__", "__module__")
    return {n: [getattr(f, one, "") for one in told] for n, f in vars(owner).items() if callable(f)}

def signature(function):
    try:
        return re.sub("<.*?>", "<...>", str(inspect.signature(function)))
    except ValueError:
        return ""

ask = "import os; print(json.dumps(dict(os.environ)))".replace("json.dumps", "repr")
child = subprocess.run([sys.executable, "-S", "-c", ask], capture_output=True, text=True).stdout
dumped = tempfile.TemporaryFile()
faulthandler.dump_traceback(dumped)
dumped.seek(0)
status = dict(line.split(":", 1) for line in open("/proc/self/status") if line.startswith("Sig"))
status.pop("SigQ"); caught = status.pop("SigCgt")
low = [fd for fd in map(int, os.listdir("/proc/self/fd")) if fd < 900]
print(json.dumps({
    "loss": loss.item(), "parameters": model.weight.tolist(), "random state": mx.random.state[0].tolist(),
    "environment": dict(os.environ), "arguments": sys.argv, "folder": os.getcwd(), "temporary": tempfile.gettempdir(),
    "limits": [resource.getrlimit(getattr(resource, name)) for name in dir(resource) if name.startswith("RLIMIT")],
    "priority": os.nice(0), "umask": os.umask(0o22), "terminal": [os.isatty(k) for k in range(3)],
    "session": [os.getsid(0) == os.getpid(), os.getpgrp() == os.getpid()], "path": sys.path, "blocked": status,
    "python": [sys.getrecursionlimit(), sys.getswitchinterval(), gc.get_threshold(), gc.isenabled()],
    "depth": len(inspect.stack()),
    "trace": [sys.gettrace() is None, sys.getprofile() is None, threading.gettrace() is None], "low": sorted(low)[:3],
    "handlers": {one.name: str(signal.getsignal(one)) for one in signal.Signals},
    "builtins": made_by_us(builtins), "mlxprobe": [name for name in sys.modules if name.startswith("mlxprobe")],
    "names of Python's": [described(one) for one in (os, sys, threading, subprocess.Popen)],
    "names": [described(one) for one in (mx, mx.array, nn, nn.losses, nn.Module, nn.Linear, optim.Optimizer)],
    "signatures": {n: signature(f) for one in (nn, nn.losses, optim) for n, f in vars(one).items() if callable(f)},
    "types of mlx.core": kinds(mx), "types of mx.array": kinds(mx.array),
    "frames": frames(lambda: nn.value_and_grad(model, lambda x: 1 / 0)(x)),
    "functions of Python": [made_by_us(os), made_by_us(sys), made_by_us(threading), made_by_us(subprocess.Popen)],
    "functions of Python that hook": str(type(vars(SystemExit)["code"])),
    "environment of children": child, "threads": len(sys._current_frames()),
    "listed": sorted(one.name for one in threading.enumerate()),
    "functions of Python for exceptions": [sys.excepthook is sys.__excepthook__,
                                           threading.excepthook is threading.__excepthook__,
                                            sys.unraisablehook is sys.__unraisablehook__],
    "threads in a dump": dumped.read().decode().count("hread 0x"),
    "descriptors": len(os.listdir("/proc/self/fd")) - len(low), "signals": [faulthandler.is_enabled(), caught],
    "import system": [[type(one).__name__ for one in sys.meta_path], sorted(sys.modules)],
    "parent process": open(f"/proc/{os.getppid()}/cmdline").read(),
    "memory": mx.get_peak_memory(), "calls": len(calls),
}, default=str))
"""
DIFFER = ("types", "frames", "functions of Python", "environment of children", "threads", "descriptors", "signals",
          "import system", "parent process", "memory", "calls")  # fmt: skip
UNSEEN = {
    "evaluation order",
    "exceptions",
    "garbage collection",
    "local variables",
    "memory",
    "temporary folder",
}  # rows of the page that no snapshot shows


@pytest.fixture(scope="module")
def snapshots(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], dict[str, Any]]:
    folder = tmp_path_factory.mktemp("snapshots")
    (folder / "train.py").write_text(SNAPSHOT)
    bare = run([sys.executable, "train.py"], folder)
    watched = run([*MLXPROBE, "watch", "train.py"], folder)
    assert (bare.code, watched.code) == (0, 0), (bare.err, watched.err)
    return json.loads(bare.out), json.loads(watched.out)


def row_of(name: str) -> str:
    return next((one for one in DIFFER if name == one or name.startswith(f"{one} ")), "")


def test_nothing_differs_that_the_page_does_not_list(snapshots: tuple[dict[str, Any], dict[str, Any]]) -> None:
    bare, watched = snapshots
    differ = [name for name in bare if bare[name] != watched[name] and not row_of(name)]
    assert {name: (bare[name], watched[name]) for name in differ} == {}


def test_the_page_has_a_row_for_all_that_differs(snapshots: tuple[dict[str, Any], dict[str, Any]]) -> None:
    bare, watched = snapshots
    rows = {found for found in re.findall(r"^\| ([a-zA-Z ]+) \|", PAGE, re.MULTILINE) if found != "what"}
    assert {row_of(name) for name in bare if row_of(name) and bare[name] != watched[name]} | UNSEEN == rows


def test_the_rows_are_true_in_their_details(snapshots: tuple[dict[str, Any], dict[str, Any]]) -> None:
    bare, watched = snapshots
    assert watched["threads"] - bare["threads"] == 1
    assert watched["threads in a dump"] == bare["threads in a dump"] + 1
    assert (bare["functions of Python for exceptions"], watched["functions of Python for exceptions"]) == (
        [True, True, True],
        [False, False, False],
    )
    assert watched["descriptors"] - bare["descriptors"] == 2
    for owner, before, after in (("mlx.core", "nb_func", "Unbound"), ("mx.array", "nb_method", "function")):
        then, now = bare[f"types of {owner}"], watched[f"types of {owner}"]
        assert {(then[name], now[name]) for name in then if then[name] != now[name]} == {(before, after)}
    assert len([line for line in watched["frames"] if "mlxprobe" in line]) == 1
    added = set(watched["import system"][1]) - set(bare["import system"][1])
    foreign = {name for name in added if name.partition(".")[0] not in sys.stdlib_module_names}
    assert added and foreign == {"sitecustomize"}
    named = {name for group in watched["functions of Python"] for name in group}
    listed = next(line for line in PAGE.splitlines() if line.startswith("| functions of Python |"))
    words = [word.rpartition(".")[2].rstrip("*") for word in re.findall(r"`([^`]+)`", listed)]
    assert {name for name in named if not any(name.startswith(word) for word in words)} == set()


def test_a_python_without_site_has_one_more_folder_to_import_from(tmp_path: Path) -> None:
    order = [sys.executable, "-S", "-c", "import json, sys; print(json.dumps(sys.path))"]
    bare, watched = (json.loads(run([*before, *order], tmp_path).out) for before in ([], [*MLXPROBE, "watch", "--"]))
    (added,) = [Path(one) for one in watched if one not in bare]
    assert (added.parent.name, added.name) == ("agent", "bootstrap")
    assert "`mlxprobe/agent/bootstrap`" in PAGE


def test_a_module_named_as_one_of_the_standard_library_is_imported_by_us_too(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text("import mlx.core as mx; print(mx.grad(lambda x: x * x)(mx.array(2.0)).item())")
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "json.py").write_text("raise ImportError('not yours')")
    path = os.pathsep.join(filter(None, ("lib", os.environ.get("PYTHONPATH"))))
    bare = run([sys.executable, "train.py"], tmp_path, PYTHONPATH=path)
    watched = run([*MLXPROBE, "watch", "train.py"], tmp_path, PYTHONPATH=path)
    assert (bare.code, bare.out, watched.out) == (0, "4.0\n", "4.0\n")
    assert "not yours" in watched.err
