"""Trial programs that hang, crash, flood and escape, with the verdict that each must get. No MLX."""

from __future__ import annotations

import sys
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import msgspec
import psutil

from mlxprobe.diagnosis import diagnose
from mlxprobe.runner.runner import Runner
from mlxprobe.runner.schedule import Task
from mlxprobe.schema.enums import HangKind, Outcome
from mlxprobe.schema.observation import Limits, Observation, Program
from mlxprobe.schema.record import Expectation, ProgramRecord, Verdict
from mlxprobe.schema.record_io import row
from mlxprobe.schema.versions import HOSTILE
from mlxprobe.supervisor.watch import HELD_S
from mlxprobe.verdict.judge import judge

TITLE = "Programs that hang, crash, flood and escape"
FOLDER = Path(__file__).parent / "programs" / "misbehaving"
MARK = "MLXPROBE_SELFTEST"
STALL_S = 1.0
ENDS_S = 600.0  # generous, because a busy machine delays everything
GONE_S = 5.0
LIMITS = Limits(stall_s=STALL_S, startup_s=ENDS_S, timeout_s=ENDS_S, memory_bytes=600_000_000)
# CUDA's library takes seconds to load, and 330 MB.
LIMITS_ON = {"cpu": LIMITS, "gpu": msgspec.structs.replace(LIMITS, stall_s=5.0, memory_bytes=2_000_000_000)}
PASS, HANG, CRASH, ERROR, UNJUDGED = Outcome.PASS, Outcome.HANG, Outcome.CRASH, Outcome.ERROR, Outcome.UNJUDGED
DEADLOCK, STALL, UNKNOWN = HangKind.DEADLOCK, HangKind.STALL, HangKind.UNKNOWN


@dataclass(frozen=True)
class Trial:
    """A misbehaving program, its expected outcome, and the text of the line that its stack must name."""

    sentence: str
    name: str
    outcome: Outcome
    kind: HangKind | None = None
    stack_line: str = ""
    says: str = ""
    ends_within_s: float = 15.0
    held_s: float = 0.0

    @property
    def file(self) -> Path:
        """Path of the program."""
        return FOLDER / f"{self.name}.py"


WAITING, LOCKING = "threading.Event().wait()", "libc.pthread_mutex_lock(mutex)"
AT_EXIT, AT_ONCE, NONSENSE = "after the program's end, at exit", "by os._exit", "made no sense"
TRIALS = (
    Trial("a deadlock in C without the lock is a hang", "blocked_without_gil", HANG, DEADLOCK, LOCKING),
    Trial("a deadlock in C with the lock held is a hang", "blocked_with_gil", HANG, DEADLOCK, LOCKING),
    Trial("a sleep in C that signals interrupt is a hang", "sleeps_in_c", HANG, DEADLOCK, "libc.sleep(1000)"),
    Trial("a wait in Python is a hang", "waits", HANG, DEADLOCK, WAITING),
    Trial("a busy loop is a stall", "busy_loop", HANG, STALL, "while True:"),
    Trial("threads that compute are a stall", "computes_in_threads", HANG, STALL, "ctypes.CDLL(None).sleep(1000)"),
    Trial("output is no progress", "prints_for_ever", HANG, STALL, 'print("still here")'),
    Trial("a flood of output is no progress, and no deadlock", "floods_stdout", HANG, STALL, "os.write(1, block)"),
    Trial("closed output streams end no watch", "closes_stdout", HANG, DEADLOCK, WAITING),
    Trial("an ignored SIGTERM delays the end, not the verdict", "ignores_sigterm", HANG, DEADLOCK, WAITING),
    Trial("a stopped program is a hang without stacks", "stops_itself", HANG, UNKNOWN, held_s=HELD_S),
    Trial("a thread left running hangs at exit", "hangs_at_exit", HANG, DEADLOCK, says=AT_EXIT),
    Trial("an exit handler that waits hangs at exit", "hangs_in_atexit", HANG, DEADLOCK,
        "atexit.register(lambda: threading.Event().wait())", AT_EXIT),
    Trial("a hang with a detached grandchild is a hang", "waits_with_a_grandchild", HANG, DEADLOCK,
        "time.sleep(1000)"),
    Trial("a fork that looks like a zombie is ended too", "ends_its_main_thread", HANG, DEADLOCK, "time.sleep(1000)"),
    Trial("a hang on twenty forks is seen in time", "forks_twenty", HANG, DEADLOCK, "os.wait()"),
    Trial("asking for stacks does not kill a fork that became another program", "forks_and_execs", HANG, DEADLOCK,
        "os.waitpid(pid, 0)"),
    Trial("stacks are had from a program that deleted its folder", "deletes_its_folder", HANG, DEADLOCK,
        WAITING),
    Trial("a stopped reaper is replaced", "stops_its_reaper", HANG, DEADLOCK, WAITING, ends_within_s=30),
    Trial("memory has a limit", "eats_memory", Outcome.MEMORY),
    Trial("an exit in the middle is a crash, although its code is 0", "exits_in_the_middle", CRASH, says=AT_ONCE),
    Trial("a fork that runs to the end does not end the program", "fork_ends_first", CRASH, says=AT_ONCE),
    Trial("a segmentation fault is a crash with its place", "segfaults", CRASH, None, "ctypes.string_at(0)", "SIGSEGV"),
    Trial("a SIGKILL from nowhere is a crash", "kills_itself", CRASH, says="SIGKILL"),
    Trial("an exception is an error, in any script", "raises", ERROR, says="ValueError: 学习率"),
    Trial("words at exit are an error that tells them", "exits_with_words", ERROR, says="train: no such data set"),
    Trial("events that make no sense are no pass", "garbles_events", UNJUDGED, says=NONSENSE),
    Trial("a flood on the events' descriptor is no pass", "floods_events", UNJUDGED, says=NONSENSE),
    Trial("a flood of lines on the events' descriptor is no pass", "floods_lines", UNJUDGED, says=NONSENSE),
    Trial("a program that closes our descriptor is no hang and no pass", "closes_every_descriptor", UNJUDGED),
    Trial("a program that kills its reaper is no pass", "kills_its_reaper", UNJUDGED),
    Trial("a program that always moves may outlast the stall limit", "succeeds_slowly", PASS),
    Trial("kernels being built are no silence, however short each takes", "builds_kernels", PASS),
    Trial("a program has no line to its reaper", "has_no_sockets", PASS),
    Trial("a detached grandchild that holds the pipes changes no pass", "leaves_a_grandchild", PASS),
    Trial("closing Python's own streams changes no pass", "closes_stdout_object", PASS),
    Trial("an exception in a fork is not the program's", "fork_raises", PASS),
    Trial("asking for stacks does not reach the program's own signal handler", "handles_sigusr1", PASS),
)  # fmt: skip


def tasks() -> list[Task]:
    """Make a task of each program."""
    return [Task(name=f"{HOSTILE}/{one.name}", run=(run := partial(_row, one=one)), again=run) for one in TRIALS]


def _row(runner: Runner, one: Trial) -> ProgramRecord:
    mark = uuid.uuid4().hex
    program = Program(
        name=f"{HOSTILE}/{one.name}", argv=("script", str(one.file)), python=sys.executable, env={MARK: mark}
    )
    seen, *_ = runner.observed(program, LIMITS_ON[runner.environment.device])
    expectation, found = Expectation(expects=one.outcome), verdict(one, seen)
    missing = [*lacks(one, seen, found), *ended(mark)]
    if missing:
        reason = "; ".join([found.reason, *missing])
        found = msgspec.structs.replace(found, reason=reason, as_expected=False)
    return runner.told(
        row(seen, (), found, expectation, scenario=HOSTILE, variant=one.name, title=TITLE, summary=one.sentence)
    )


def verdict(one: Trial, seen: Observation) -> Verdict:
    """Judge the observation of a program."""
    return judge(seen, diagnose(seen), Expectation(expects=one.outcome))


def lacks(one: Trial, seen: Observation, found: Verdict) -> Iterator[str]:
    """Yield the expectations of a program that did not hold, besides its outcome; an unknown kind is accepted."""
    if found.outcome is HANG is one.outcome and found.kind not in (one.kind, UNKNOWN):
        yield f"expected: {one.kind}, not {found.kind}"
    if one.says not in found.reason:
        yield f"expected in the reason: {one.says}"
    if one.stack_line and one.stack_line not in places(one, seen):
        yield f"expected in its stack: {one.stack_line}"


def places(one: Trial, seen: Observation) -> set[str]:
    """Return the program's lines that its stacks name with the right line number."""
    lines = one.file.read_text(encoding="utf-8").splitlines()
    stacks = seen.silence.stacks if seen.silence else seen.stacks
    frames = [frame for stack in stacks for frame in stack.frames if frame.file == str(one.file)]
    return {frame.code for frame in frames if frame.code == lines[frame.line - 1].strip()}


def ended(mark: str) -> Iterator[str]:
    """Report and kill the processes that a program has left running."""
    deadline = time.monotonic() + GONE_S
    while (left := list(_marked(mark))) and time.monotonic() < deadline:
        time.sleep(0.05)
    for process in left:
        process.kill()
    if left:
        yield f"left running: {len(left)}"


def _marked(mark: str) -> Iterator[psutil.Process]:
    for process in psutil.process_iter():
        try:
            if process.environ().get(MARK) == mark:
                yield process
        except (psutil.Error, OSError):
            continue
