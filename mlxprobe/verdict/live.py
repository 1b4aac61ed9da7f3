"""What a look at a process that runs already means: alive, idle, deadlock, stall, or not to be judged. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mlxprobe.schema.enums import HangKind, Live
from mlxprobe.schema.live import LiveProcess, LiveThread, Looked, Scope
from mlxprobe.schema.metrics import calling_frame, duration, standing_frame, told_place
from mlxprobe.verdict.mlx_wait_state import in_collective, in_mlx

MIN_SAMPLES = 40  # enough to find a loop of short steps outside of its evaluations in some of them
IDLE_CPU_SHARE = 0.1
STARVED_CPU_SHARE, WANTED_CPU_SHARE = 0.05, 0.6  # as `watch` has them
PAGES_PER_S = 200.0
UNCLEAR = (
    "nothing of MLX ran meanwhile, and whether that is progress is not visible from outside: --stall-limit 60s looks "
    "as long"
)
THEM = ("it", "them")


def judge(looked: Looked) -> tuple[Live, str]:
    """Return the verdict on a look, and its reason in one line."""
    for rule in (_unseen, _moves, _ranks, _rests, _stops, _waits, _computes, _starves):
        if found := rule(looked):
            return found
    return Live.UNJUDGED, f"nothing moved for {duration(looked.silent_s)}, and why cannot be seen"


def _unseen(looked: Looked) -> tuple[Live, str] | None:
    if looked.ended:
        return Live.UNJUDGED, f"process {looked.pid} ended while it was read"
    stopped = [one for one in each(looked) if one.state in "tT" and one.state]
    if stopped:
        return Live.IDLE, f"it waits for {stopped[0].waits}"
    if not any(one.stack for one in each(looked)):
        return Live.UNJUDGED, f"no Python stack could be read, so progress cannot be seen; {_from_outside(looked)}"
    return None


def _from_outside(looked: Looked) -> str:
    """Say what the system tells of a process that nobody may read."""
    share = sum(one.cpu_share for one in looked.processes)
    slept = [one.slept_s for one in each(looked) if one.slept_s is not None]
    if share < IDLE_CPU_SHARE and slept:
        return f"all its threads sleep, the last since {duration(min(slept))}"
    return f"it uses {share:.1f} processors"


def _moves(looked: Looked) -> tuple[Live, str] | None:
    if looked.moved:
        return _goes_round(looked) or (Live.ALIVE, f"its Python code moves; last seen {place(looked)}")
    if looked.compiles:
        return Live.ALIVE, f"a compiler works below it, {place(looked)}"
    return None


def _goes_round(looked: Looked) -> tuple[Live, str] | None:
    """Judge Python code that moves while nothing of MLX runs: a loop for ever looks as one with an end does."""
    if looked.compiles or any(one.may_progress for one in looked.processes if one.python):
        return None
    scopes = [one.scope for one in sorted(each(looked), key=lambda one: -one.cpu_s) if one.scope]
    told = f"its Python code moves, {f'always {told_scope(scopes[0])}' if scopes else f'last seen {place(looked)}'}"
    if looked.limit_given and _is_busy(looked):
        return Live.STALL, f"nothing of MLX has run for all of {duration(looked.looked_s)}; {told}"
    return Live.ALIVE, f"{told}; {UNCLEAR}"


def _is_busy(looked: Looked) -> bool:
    """Check whether a tree computes, or would if others left it a processor: what only looks now and then waits."""
    used_s = sum(one.cpu_s for one in each(looked))
    wanted_s = used_s + sum(one.waited_s for one in each(looked))
    starved = used_s > STARVED_CPU_SHARE * looked.looked_s and wanted_s > WANTED_CPU_SHARE * looked.looked_s
    return starved or used_s > IDLE_CPU_SHARE * looked.looked_s


def told_scope(scope: Scope) -> str:
    """Say which function a thread keeps to."""
    last = f"–{scope.last}" if scope.last > scope.first else ""
    return f"in {scope.function} at {scope.file.rpartition('/')[2]}:{scope.first}{last}"


def _ranks(looked: Looked) -> tuple[Live, str] | None:
    """Judge ranks that wait for each other: no single one of them is stuck."""
    ranks = [one for one in looked.processes if one.rank >= 0 and one.python]
    waiting = [one for one in ranks if in_collective(one)]
    missing = [one for one in ranks if one not in waiting]
    if not waiting:
        return None
    told = ", ".join(f"rank {one.rank} {_placed(one)}" for one in waiting)
    if len(ranks) == 1:
        return Live.IDLE, f"{told} waits in a collective for ranks that are not seen: attach to their launcher"
    if not missing:
        return Live.DEADLOCK, f"all {len(ranks)} ranks wait in a collective for each other: {told}"
    theirs = [thread for one in missing for thread in one.threads if thread.number == one.pid and thread.outer]
    if len(theirs) == len(missing):
        late = ", ".join(f"rank {one.rank} {_placed(one)}" for one in missing)
        return Live.IDLE, f"{told} waits in a collective; {late} has not come to it, and waits for {theirs[0].waits}"
    return None


def _placed(one: LiveProcess) -> str:
    """Say where a process stands: in MLX, else where its main thread is."""
    threads = [each for each in one.threads if each.stack and (each.number == one.pid or in_mlx(each.stack))]
    best = sorted(threads, key=lambda each: not (each.stack and in_mlx(each.stack)))
    return _at(best[0]).removeprefix(", ") if best else ""


def _rests(looked: Looked) -> tuple[Live, str] | None:
    """Judge what sleeps: dead where nothing but itself could wake it."""
    within = [one for one in looked.processes if stuck_in_mlx(one) and not in_collective(one)]
    counted = [thread for one in within or looked.processes for thread in one.threads if not thread.bystander]
    rests = bool(within) or looked.kind is HangKind.DEADLOCK
    outer = any(one.outer for one in counted)
    if not rests or any(one.gpu for one in within) or (outer and (within or not looked.limit_given)):
        return None
    slept = [one.slept_s for one in counted if one.slept_s is not None]
    since = f" for {duration(min(slept))} at the least" if slept else ""
    words = f"all {len(counted)} threads sleep" if len(counted) > 1 else "its thread sleeps"
    them = THEM[len(counted) > 1]
    why = f"none wakes within ten times {duration(looked.limit_s)}" if outer else f"nothing outside can wake {them}"
    return Live.DEADLOCK, f"{words}{since}, and {why}: {place(looked)}"


def stuck_in_mlx(one: LiveProcess) -> bool:
    """Check whether a thread of a process is in MLX, and none that it could wait for was on a processor."""
    counted = [thread for thread in one.threads if not thread.bystander]
    asleep = all(thread.state == "S" and not thread.switches and not thread.cpu_share for thread in counted)
    return asleep and any(thread.stack and in_mlx(thread.stack) for thread in counted)


def _stops(looked: Looked) -> tuple[Live, str] | None:
    """Judge what is busy in one place."""
    for process, thread in _busy(looked):
        stack, over = thread.stack, looked.limit_given
        assert stack is not None
        told = f"for all of {duration(looked.silent_s)} {place(looked)}, with {process.cpu_share:.1f} processors"
        if in_mlx(stack) and (over or (thread.proved and thread.looks >= MIN_SAMPLES)):
            return Live.STALL, f"one evaluation has run {told}{'' if over else '; it is the work of many steps'}"
        if over:
            return Live.STALL, f"one call has run {told}"
    return None


def _busy(looked: Looked) -> Iterator[tuple[LiveProcess, LiveThread]]:
    """List the threads that may be where a busy process stands: of the busiest process first."""
    for process in sorted(looked.processes, key=lambda one: -one.cpu_share):
        if process.cpu_share > IDLE_CPU_SHARE or (looked.kind is HangKind.STALL and process.python):
            found = [one for one in process.threads if one.stack and not one.bystander]
            inside = [one for one in found if one.stack and in_mlx(one.stack)]
            yield from ((process, one) for one in inside or sorted(found, key=lambda one: -one.cpu_share)[:1])


def _waits(looked: Looked) -> tuple[Live, str] | None:
    """Judge what waits for others."""
    pages = sum(one.read_pages for one in looked.processes)
    if pages > PAGES_PER_S * looked.looked_s:
        return Live.ALIVE, f"it waits for memory that is fetched from a disk or swap, {pages:,} pages in this look"
    if sum(one.cpu_share for one in looked.processes) > IDLE_CPU_SHARE:
        return None
    known = [*mains(looked), *(one for one in each(looked) if one.stack), *each(looked)]
    if waiting := next((one for one in known if one.outer), None):
        return Live.IDLE, f"it waits for {waiting.waits}{_at(waiting)}"
    return None


def _at(one: LiveThread) -> str:
    stacks = [one.stack] if one.stack else []
    frame = standing_frame(stacks)
    return f", {told_place(frame, calling_frame(stacks))}" if frame else ""


def _computes(looked: Looked) -> tuple[Live, str] | None:
    for process, thread in _busy(looked):
        told = f"computes {place(looked)}, with {process.cpu_share:.1f} processors"
        if thread.stack and in_mlx(thread.stack):
            again = "one step's work or many steps' is not known: --stall-limit 60s looks as long"
            return Live.ALIVE, f"an evaluation {told}; {again}"
        return Live.ALIVE, f"it {told}" + (f"; {UNCLEAR}" if not process.may_progress else "")
    return None


def _starves(looked: Looked) -> tuple[Live, str] | None:
    """Judge what would run: on a busy machine it may not have had a processor for all of a look."""
    if any(one.state == "R" for one in each(looked)):
        return Live.ALIVE, f"it runs, with next to no processor: others use them; last seen {place(looked)}"
    return None


def each(looked: Looked) -> list[LiveThread]:
    """List all threads."""
    return [thread for one in looked.processes for thread in one.threads]


def mains(looked: Looked) -> list[LiveThread]:
    """List the main threads of the processes that run Python, the oldest process's first."""
    return [thread for one in looked.processes if one.python for thread in one.threads if thread.number == one.pid]


def place(looked: Looked) -> str:
    """Say where the process stands: where MLX is, else its main thread."""
    stacks = [one.stack for one in standing_threads(looked)[:1] if one.stack]
    frame = standing_frame(stacks)
    return told_place(frame, calling_frame(stacks)) if frame else "at a place that could not be read"


def standing_threads(looked: Looked) -> Sequence[LiveThread]:
    """List the threads by which a tree is placed: those in MLX, else the main threads of what runs Python."""
    within = [one for one in each(looked) if one.stack and in_mlx(one.stack)]
    return within or [one for one in mains(looked) if one.stack]
