"""Programs that replace, break or exhaust what the agent might use behave as they do unwatched."""

import sys
from pathlib import Path

import pytest
from running import PRELUDE, run, watch

pytestmark = pytest.mark.slow
RAISES = """
import json, os, sys, threading, time, typing, weakref, select, fcntl, faulthandler, signal
def raises(*args, **kwargs):
    raise RuntimeError("replaced")
"""
TRAIN = "print('%.4f' % train(30))\n"
BACK = "\nimport builtins; print('end')"
REPLACED = (
    "json.dumps", "json.JSONEncoder.encode", "time.monotonic", "time.thread_time", "time.time", "time.process_time",
    "os.write", "os.getpid", "os.getppid", "os.fstat", "os.open", "os.close", "os.unlink", "os.path.exists",
    "os.path.abspath", "sys._getframe", "weakref.ref", "threading.Thread.start", "threading.current_thread",
    "threading.get_ident", "threading.main_thread", "select.poll", "fcntl.fcntl", "faulthandler.enable",
    "faulthandler.register", "faulthandler.unregister", "signal.getsignal", "os.register_at_fork", "os.sysconf",
)  # fmt: skip
AT_FIRST = (
    "json.dumps", "time.monotonic", "os.write", "os.getpid", "os.fstat", "os.path.exists", "sys._getframe",
    "weakref.ref", "threading.Thread.start",
)  # fmt: skip
OTHERS = {
    "MLXPROBE_STEPS of no number": ({"MLXPROBE_STEPS": "abc"}, PRELUDE + TRAIN),
    "a rank of no number": ({"MLX_RANK": "²", "MLX_WORLD_SIZE": "³"}, PRELUDE + TRAIN),
    "a rank of many digits": ({"MLX_RANK": "9" * 5000}, PRELUDE + TRAIN),
    "an exception that cannot be printed": ({}, PRELUDE + """
class Odd(Exception):
    def __str__(self): raise ValueError("no words")
try:
    mx.grad(lambda w: (_ for _ in ()).throw(Odd()))(mx.ones(2))
except Odd: print("caught")
raise Odd
"""),
    "such an exception of a thread": ({}, PRELUDE + """
import threading
class Odd(Exception):
    def __str__(self): raise ValueError("no words")
def run(): raise Odd
thread = threading.Thread(target=run, name="t"); thread.start(); thread.join()
""" + TRAIN),
    "such an error of an evaluation": ({}, PRELUDE + """
class Odd(RuntimeError):
    def __str__(self): raise ValueError("no words")
class Bad(dict):
    def values(self): raise Odd
    def items(self): raise Odd
    def __iter__(self): raise Odd
try: mx.eval(Bad(a=mx.ones(2)))
except Odd: print("caught")
""" + TRAIN),
    "Popen subclassed before MLX": ({}, """
import subprocess
class Popen(subprocess.Popen): pass
subprocess.Popen = Popen
""" + PRELUDE + "print(subprocess.run(['true']).returncode)\n" + TRAIN),
    "Popen that is a function": ({}, """
import subprocess
popen = subprocess.Popen
subprocess.Popen = lambda *args, **kwargs: popen(*args, **kwargs)
""" + PRELUDE + "print(subprocess.Popen(['true']).wait())\n" + TRAIN),
    "a Popen with slots and no returncode": ({}, PRELUDE + """
import subprocess
class Green(subprocess.Popen):
    def __init__(self): pass
    def __getattr__(self, name): raise RuntimeError(name)
    def __del__(self): pass
try: Green().wait()
except RuntimeError as error: print("theirs", error)
""" + TRAIN),
    "stubs of modules": ({}, """
import sys, types
for name in ("subprocess", "multiprocessing.popen_fork", "multiprocessing.popen_forkserver",
             "multiprocessing.process", "concurrent.futures.thread"):
    sys.modules[name] = types.ModuleType(name)
""" + PRELUDE + TRAIN),
    "modules that are None": ({}, """
import sys
for name in ("subprocess", "multiprocessing.process", "multiprocessing.popen_fork", "concurrent.futures.thread"):
    sys.modules[name] = None
""" + PRELUDE + TRAIN),
    "modules that refuse": ({}, """
import sys
class Refuses:
    def __getattr__(self, name): raise RuntimeError("no " + name)
for name in ("subprocess", "multiprocessing.process", "multiprocessing.popen_fork", "concurrent.futures.thread"):
    sys.modules[name] = Refuses()
""" + PRELUDE + TRAIN),
    "no thread to be had": ({}, """
import _thread, threading
def start(*args, **kwargs): raise RuntimeError("can't start new thread")
_thread.start_new_thread = threading._start_new_thread = threading._start_joinable_thread = start
""" + PRELUDE + TRAIN),
    "no descriptor to be had": ({}, """
import os, resource
import numpy, runpy, traceback, linecache
held = []
resource.setrlimit(resource.RLIMIT_NOFILE, (128, 128))
import mlx.core as mx, mlx.nn as nn, mlx.optimizers as optim
try:
    while True: held.append(os.open(os.devnull, 0))
except OSError: pass
""" + PRELUDE + TRAIN),
    "no descriptor before MLX": ({}, """
import os, resource
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
held = []
try:
    while True: held.append(os.open(os.devnull, 0))
except OSError: pass
for _ in range(4): os.close(held.pop())
""" + PRELUDE + TRAIN),
    "a handler of SIGURG before MLX": ({}, """
import os, signal
signal.signal(signal.SIGURG, lambda *_: print("heard", flush=True))
""" + PRELUDE + "os.kill(os.getpid(), signal.SIGURG)\n" + TRAIN),
    "a handler of SIGURG after MLX": ({}, PRELUDE + """
import os, signal
signal.signal(signal.SIGURG, lambda *_: print("heard", flush=True))
os.kill(os.getpid(), signal.SIGURG)
""" + TRAIN),
    "no SIGURG": ({}, """
import signal
signal.signal(signal.SIGURG, signal.SIG_IGN)
""" + PRELUDE + TRAIN + "print(signal.getsignal(signal.SIGURG))"),
    "SIGPIPE kills": ({}, """
import signal
signal.signal(signal.SIGPIPE, signal.SIG_DFL)
""" + PRELUDE + TRAIN),
    "nonsense among the events": ({}, PRELUDE + """
import glob, os, stat
for fd in range(3, 1100):
    try:
        if stat.S_ISFIFO(os.fstat(fd).st_mode):
            for k in range(300): os.write(fd, b"nonsense %d\\n" % k)
    except OSError: pass
""" + TRAIN),
    "a meta path that raises": ({}, PRELUDE + """
import sys
class Finder:
    def find_spec(self, name, path=None, target=None):
        if name.startswith("mlxprobe"): raise RuntimeError(name)
sys.meta_path.insert(0, Finder())
""" + TRAIN),
    "imports that raise": ({}, """
import builtins, sys
original = builtins.__import__
def imports(name, globals=None, *args, **kwargs):
    if name.startswith("mlxprobe"): raise RuntimeError("no " + name)
    return original(name, globals, *args, **kwargs)
builtins.__import__ = imports
""" + PRELUDE + TRAIN),
}  # fmt: skip


def compared(folder: Path, source: str, **changes: str) -> None:
    (folder / "train.py").write_text(source)
    bare = run([sys.executable, "train.py"], folder, **changes)
    report = folder.parent / f"{folder.name}-report.txt"
    ours = watch(folder, "--output", str(report), "--format", "json", "--", sys.executable, "train.py", **changes)
    own = ours.err[: len(bare.err)] if ours.err.startswith(bare.err) else ours.err
    assert (ours.code, ours.out, own) == (bare.code, bare.out, bare.err)
    assert "Traceback" not in ours.err[len(own) :]
    assert "Exception ignored" not in ours.err[len(own) :]
    assert report.is_file()


@pytest.mark.parametrize("name", OTHERS)
def test_a_hostile_program(name: str, tmp_path: Path) -> None:
    changes, source = OTHERS[name]
    compared(tmp_path, source, **changes)


EACH = """
def owner_of(name):
    module, *rest, last = name.split(".")
    owner = globals()[module]
    for one in rest: owner = getattr(owner, one)
    return owner, last
for name in NAMES:
    owner, last = owner_of(name)
    before = getattr(owner, last)
    setattr(owner, last, raises)
    try: value, step = train(6), mx.compile(lambda x: x * 2)(x)
    finally: setattr(owner, last, before)
    print(name, '%.4f' % value)
"""


def test_a_program_that_replaces_functions_one_after_the_other(tmp_path: Path) -> None:
    compared(tmp_path, RAISES + PRELUDE + f"NAMES = {REPLACED}" + EACH)


@pytest.mark.parametrize("name", AT_FIRST)
def test_a_program_that_replaces_a_function_for_good(name: str, tmp_path: Path) -> None:
    compared(tmp_path, RAISES + f"{name} = raises\n" + PRELUDE + TRAIN)
