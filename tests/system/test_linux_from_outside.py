"""What is read of a process from outside: native calls without a stop, what threads wait for, missing rights."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import psutil
import pytest
from watching import TOYS, until

from mlxprobe.agent.introspection.code_ownership import Roots
from mlxprobe.schema.enums import Whose
from mlxprobe.supervisor import process_snapshot
from mlxprobe.system import LINUX
from mlxprobe.system.interface import Native
from mlxprobe.system.linux import permissions
from mlxprobe.system.linux.native_stacks import Memory, chain, is_call
from mlxprobe.system.linux.symbols import library, plain
from mlxprobe.system.linux.threads import threads
from mlxprobe.system.linux.wait_reason import awaited

ON_LINUX = pytest.mark.skipif(not LINUX, reason="Linux alone tells what threads do")
WITHIN_S = 60


@contextmanager
def sleeping(*command: str) -> Iterator[subprocess.Popen[bytes]]:
    """Start a program and wait until it sleeps; its input and output are pipes."""
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            yield process
        finally:
            for one in (process, *psutil.Process(process.pid).children()):
                one.kill()


def waits_for(pid: int) -> str:
    return awaited(threads([pid])[0], {pid}).words


def rests(pid: int) -> bool:
    return waits_for(pid).startswith("the end of a sleep")


@ON_LINUX
@pytest.mark.slow
def test_native_calls_of_a_sleeper_are_read_without_a_stop() -> None:
    with sleeping(sys.executable, str(TOYS / "blocked_without_gil.py")) as hung:
        assert until(lambda: waits_for(hung.pid).startswith("a lock"), WITHIN_S)
        before = threads([hung.pid])
        names = [frame.function for frame in Memory(hung.pid).calls(hung.pid)]
        assert any("lock" in name for name in names), names
        assert threads([hung.pid]) == before  # a stop would have been a switch


PROGRAMS = [
    ("a lock", "import threading; threading.Event().wait()", "a lock or condition, without a time limit", False),
    (
        "a lock with a limit",
        "import threading; threading.Event().wait(900)",
        "a lock or condition, for a limited",
        True,
    ),
    ("a sleep", "import time; time.sleep(900)", "the end of a sleep: 9", True),
    ("input", "input()", "what comes through a pipe", True),
    ("a full pipe", "import os; os.write(1, bytes(10**6))", "a reader of the pipe", True),
    ("an epoll", "import select; select.epoll().poll(900)", "events of its connections and files", True),
    ("a child", "import subprocess; subprocess.run(['sleep', '900'])", "a child's end", False),
    ("a signal", "import signal; signal.pause()", "a signal", True),
]


@ON_LINUX
@pytest.mark.slow
@pytest.mark.parametrize(
    ("text", "words", "outer"), [case[1:] for case in PROGRAMS], ids=[case[0] for case in PROGRAMS]
)
def test_what_a_thread_waits_for_is_told(text: str, words: str, outer: bool) -> None:
    with sleeping(sys.executable, "-c", text) as process:
        assert until(lambda: waits_for(process.pid).startswith(words), WITHIN_S), waits_for(process.pid)
        assert awaited(threads([process.pid])[0], {process.pid}).outer is outer


@ON_LINUX
@pytest.mark.slow
def test_a_thread_is_known_to_have_slept_before_the_look() -> None:
    with sleeping(sys.executable, "-c", "import time; time.sleep(900)") as process:
        assert until(lambda: rests(process.pid), WITHIN_S)
        key = process.pid, process.pid
        first = process_snapshot.readings([process.pid])[key].slept_s
        if first is None:
            pytest.skip("this kernel does not tell when a thread last ran")
        assert until(lambda: (process_snapshot.readings([process.pid])[key].slept_s or 0) > first + 0.05, WITHIN_S)


@ON_LINUX
@pytest.mark.slow
def test_how_long_a_thread_has_slept_does_not_depend_on_its_processor() -> None:
    for processor in os.sched_getaffinity(0):
        began_s = time.monotonic()
        pinned = f"import os, time; os.sched_setaffinity(0, {{{processor}}}); time.sleep(900)"
        with sleeping(sys.executable, "-c", pinned) as process:
            assert until(partial(rests, process.pid), WITHIN_S)
            seen_s = time.monotonic()
            time.sleep(0.5)
            at_least_s = time.monotonic() - seen_s
            slept_s = process_snapshot.readings([process.pid])[process.pid, process.pid].slept_s
            if slept_s is None:
                pytest.skip("this kernel does not tell when a thread last ran")
            assert at_least_s / 2 < slept_s < time.monotonic() - began_s + 0.01


@ON_LINUX
def test_whose_code_is_whose_is_read_off_the_process() -> None:
    roots = Roots()
    process_snapshot.roots_of(os.getpid(), roots)
    assert Whose(roots.whose(os.__file__)) is Whose.LIBRARY
    assert Whose(roots.whose(pytest.__file__)) is Whose.PACKAGE
    assert Whose(roots.whose("/home/me/train.py")) is Whose.OWN


@pytest.mark.parametrize(
    ("mangled", "told"),
    [(b"_ZN3mlx4core5Event4waitERKNS0_6StreamE", "mlx::core::Event::wait"),
     (b"_ZNSt18condition_variable4waitERSt11unique_lockISt5mutexE", "std::condition_variable::wait"),
     (b"_ZNK3mlx4core5array4itemIfEET_v", "mlx::core::array::item"),
     (b"pthread_cond_wait@@GLIBC_2.3.2", "pthread_cond_wait")],
)  # fmt: skip
def test_a_name_of_cpp_is_told_with_its_scopes(mangled: bytes, told: str) -> None:
    assert plain(mangled) == told


def test_what_is_no_library_has_no_functions(tmp_path: Path) -> None:
    (tmp_path / "text.so").write_text("no library at all, but long enough for a header of one" * 3)
    assert library(str(tmp_path / "text.so")).name(0) == ""
    assert library(str(tmp_path / "missing.so")).name(0) == ""


LIBC, MLX, PYTHON = "/lib/x86_64-linux-gnu/libc.so.6", "/v/mlx/lib/libmlx.so", "/opt/lib/libpython3.11.so.1.0"
WAIT, EVENT, EVAL = Native(LIBC, "pthread_cond_wait"), Native(MLX, "mlx::core::Event::wait"), Native(MLX, "eval_impl")
STALE, LOCK = Native(PYTHON, "find_name_in_mro"), Native(PYTHON, "take_gil")
CORE, UPSTREAM = "/v/mlx/core.cpython-311-x86_64-linux-gnu.so", Native(PYTHON, "_PyEval_EvalFrameDefault")
BOUND, AGAIN = Native(CORE, "core.so+0x62da2"), Native(CORE, "core.so+0x4ea04")
STRUCT = Native("/opt/lib/python3.11/lib-dynload/_struct.cpython-311-x86_64-linux-gnu.so", "s_pack_internal")
SLEEP = Native("/opt/lib/python3.11/lib-dynload/time.cpython-311-x86_64-linux-gnu.so", "time_sleep")
SSL, READ = (
    Native("/lib/libssl.so.3", "SSL_read"),
    Native(STRUCT.file.replace("_struct", "_ssl"), "_ssl__SSLSocket_read"),
)
COLLECTS, OLD = Native("/usr/bin/python3.11", "gc_collect_main"), Native("/usr/bin/python3.11", "dict_get")


@pytest.mark.parametrize(
    ("frames", "calls"),
    [
        ((WAIT, EVENT, STALE, EVAL), (WAIT, EVENT, EVAL)),
        ((WAIT, EVENT, EVAL, STALE, BOUND, UPSTREAM, STALE), (WAIT, EVENT, EVAL, BOUND)),
        ((WAIT, EVENT, EVAL, Native(PYTHON, "drop_gil"), BOUND, AGAIN), (WAIT, EVENT, EVAL, BOUND)),
        ((WAIT, EVENT, EVAL, STRUCT, STALE, BOUND, UPSTREAM), (WAIT, EVENT, EVAL, BOUND)),
        ((WAIT, EVENT, EVAL, BOUND, STRUCT, UPSTREAM), (WAIT, EVENT, EVAL, BOUND)),
        ((WAIT, SSL, READ, UPSTREAM), (WAIT, SSL, READ)),
        ((WAIT, SLEEP, STALE, UPSTREAM), (WAIT, SLEEP)),
        ((WAIT, LOCK, EVENT, EVAL), (WAIT, LOCK, EVENT, EVAL)),
        ((WAIT, Native(PYTHON, "drop_gil"), EVENT), (WAIT,)),
        ((WAIT, LOCK, BOUND, UPSTREAM), (WAIT, LOCK)),
        ((WAIT, BOUND, LOCK, UPSTREAM), (WAIT, LOCK)),
        ((COLLECTS, EVAL), (COLLECTS, EVAL)),
        ((EVENT, OLD, EVAL), (EVENT, EVAL)),
    ],
    ids=["between MLX's", "before the bindings", "the lock, left over", "a module of Python's own",
         "one outside the bindings", "one that calls a library", "its sleep", "its lock", "no lock any more",
         "the bindings, left over", "nothing called them", "a collection", "a program without libpython"],
)  # fmt: skip
def test_what_earlier_calls_left_on_a_stack_is_no_call(frames: tuple[Native, ...], calls: tuple[Native, ...]) -> None:
    assert chain(frames) == calls


@ON_LINUX
def test_a_function_without_a_name_is_told_by_its_place_in_the_file() -> None:
    memory = Memory(os.getpid())
    part = next(one for one in memory._parts if one.runs and one.file.startswith("/"))
    named = memory._frame(part.start + 1)
    assert named is not None and named.file == part.file
    assert library(part.file).name(part.offset) or named.function == f"{Path(part.file).name}+0x{part.offset:x}"
    assert memory._frame(8) is None


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="calls look otherwise elsewhere")
def test_only_code_behind_a_call_is_returned_to() -> None:
    assert is_call(bytes.fromhex("909090e811223344"))
    assert is_call(bytes.fromhex("909090909090ffd0"))
    assert not is_call(bytes.fromhex("9090909090909090"))
    assert not is_call(b"")


RIGHTS = [
    ("another user's", 1000, 0, "0", "of the user root: run this as that user, or as root"),
    ("Yama for parents alone", 1000, 1000, "1", "kernel.yama.ptrace_scope=0"),
    ("Yama for administrators", 1000, 1000, "2", "run this as root"),
    ("Yama for nobody", 1000, 1000, "3", "only a restart"),
    ("a container", 0, 0, "0", "--cap-add=SYS_PTRACE"),
]


@ON_LINUX
@pytest.mark.parametrize(
    ("mine", "its", "scope", "words"), [case[1:] for case in RIGHTS], ids=[case[0] for case in RIGHTS]
)
def test_one_sentence_says_which_right_is_missing(
    mine: int, its: int, scope: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "scope").write_text(scope)
    monkeypatch.setattr(permissions, "SCOPE", tmp_path / "scope")
    monkeypatch.setattr(os, "geteuid", lambda: mine)
    monkeypatch.setattr(permissions, "_owner", lambda pid: its)
    told = permissions.forbidden([7])
    assert words in told
    assert told.startswith("no stacks of process 7: ")
