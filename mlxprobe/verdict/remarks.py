"""What is known of a run beside its findings: what was not seen of it, what became of its children: pure."""

from __future__ import annotations

import math
import shlex
import signal
from collections.abc import Iterator

from mlxprobe.diagnosis import metal
from mlxprobe.protocol.facts import processes
from mlxprobe.protocol.facts.gradients import FirstGradient
from mlxprobe.protocol.facts.memory import MemoryNearlyGone
from mlxprobe.protocol.facts.updates import GradientsUnused, ParametersUnchanged
from mlxprobe.protocol.facts.work import DetectorFailed, EventLost
from mlxprobe.schema.metrics import counted, is_programs, megabytes, signal_name, steps_done
from mlxprobe.schema.observation import Observation
from mlxprobe.schema.record import Remark
from mlxprobe.schema.texts import masked
from mlxprobe.verdict.errors import known_error

ASKED_TO_END = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGPIPE}  # how programs end their own children
SHELL_SIGNAL = 128  # what a shell adds to the number of the signal that ended its command
MOST_NAMED = 5  # lost events by name, or processes
WAITED_S, WAITED = 2.0, 20  # seconds since the last step, and times the slowest one, that are worth a word
OF_A_SHELL = {  # `mlx.launch` hands its words to one, and leaves with 0 all the same
    126: " (a shell may not execute what it was given: write `python train.py`, not `train.py`)",
    127: " (a shell has not found what it was given)",
}
FIRST_STEP = "the first training step has not ended"
REMOTE, UNWATCHED = OF_RANKS = "remote ranks", "ranks not watched"


def remarks(seen: Observation) -> tuple[Remark, ...]:
    """Return what else is known of a user's program; while one of them is grave, it cannot be called healthy."""
    tellers = (
        _interrupt,
        _steps,
        _updates,
        _failures,
        _processes,
        _lost,
        _remote,
        _children,
        _left_running,
        _ending,
        _memory,
        _long_steps,
        known_error,
    )
    return tuple(one for tell in tellers for one in tell(seen))


def interrupted(seen: Observation) -> bool:
    """Check whether Ctrl-C ended a program: this process by its own, the program by SIGINT or by KeyboardInterrupt."""
    raised = seen.raised is not None and seen.raised.type == "KeyboardInterrupt"
    by_itself = raised or seen.exit_code in (-signal.SIGINT, SHELL_SIGNAL + signal.SIGINT)
    return seen.ended == "interrupted" or (seen.ended == "exited" and by_itself)


def _interrupt(seen: Observation) -> Iterator[Remark]:
    if interrupted(seen):
        message = f"interrupted by Ctrl-C, at step {steps_done(seen)}"
        slowest_s = max((step.step_s for step in seen.steps), default=math.inf)
        since_s = seen.wall_s - seen.steps[-1].t_s if seen.steps else 0.0
        if since_s > max(WAITED_S, WAITED * slowest_s):
            message += f", {since_s:.0f} s after it ended (the slowest one took {slowest_s:.2g} s)"
        yield Remark(name="interrupted", message=message, detail={"step": steps_done(seen), "since_s": since_s})


def _steps(seen: Observation) -> Iterator[Remark]:
    if not seen.begun or seen.steps:
        return
    if seen.has(FirstGradient):
        message = f"{FIRST_STEP}: little can be said of training"
        yield Remark(name="no step", message=message, detail={"gradients": 1})
    else:
        yield Remark(name="no step", message="no training step was seen: nothing can be said of training")


def _failures(seen: Observation) -> Iterator[Remark]:
    """Report the parts of mlxprobe that failed in the program: rules that read what they see were not checked."""
    told = ((fact.detector, fact.error) for fact, _ in seen.every(DetectorFailed))
    failed = {part: error for part, error in told if not is_programs(seen, error)}
    if failed:
        part, error = next(iter(failed.items()))
        many = len(failed) > 1
        head = f"{len(failed)} parts of mlxprobe failed (first {part}" if many else f"part of mlxprobe failed ({part}"
        message = f"{head}: {error}); the checks that depend on {'them' if many else 'it'} did not run"
        yield Remark(name="mlxprobe failed", message=message, detail={"parts": len(failed)})


def _updates(seen: Observation) -> Iterator[Remark]:
    """Report that gradients were taken and no update was seen, where no finding says so."""
    sheet = seen.sheet
    known = sheet.updates or sheet.uncounted or seen.has(GradientsUnused, ParametersUnchanged)
    if known or not (sheet.gradients and seen.finished):
        return
    why = f"no update was seen in {counted(sheet.gradients, 'gradient call')}"
    if sheet.unfollowed:
        why += f"; {sheet.unfollowed:,} of them were given other arrays than the call before: parameters or data"
    message = f"not checked: whether parameters are updated ({why})"
    yield Remark(name="no update", message=message, detail={"gradients": sheet.gradients})


def _processes(seen: Observation) -> Iterator[Remark]:
    others = sorted({fact.pid for fact, _ in seen.every(processes.AnotherProcess)})
    if others:
        are = "process {} imported MLX too, and was" if len(others) == 1 else "processes {} imported MLX too, and were"
        message = f"{are.format(', '.join(map(str, others)))} not watched"
        yield Remark(name="another process", message=message, detail={"processes": len(others)})
    for _, one in seen.every(processes.ProcessesLeftOut):
        message = f"of {one.count} further processes with MLX nothing was taken in: they are too many"
        yield Remark(name="processes left out", message=message, detail={"processes": one.count})


def _lost(seen: Observation) -> Iterator[Remark]:
    """Count and name the events that did not arrive: a rule that needs one of them was not checked."""
    lost = {fact.event: one.count for fact, one in seen.every(EventLost)}
    if count := sum(lost.values()):
        named = ", ".join(sorted(lost)[:MOST_NAMED]) + ", …" * (len(lost) > MOST_NAMED)
        message = f"{count} {'event was' if count == 1 else 'events were'} lost ({named}): not every check could run"
        yield Remark(name="events lost", message=message, detail={"events": count})


def _remote(seen: Observation) -> Iterator[Remark]:
    """Report ranks that a launcher has started on other hosts, and how they are watched there."""
    known = {fact.rank: fact for fact, _ in seen.every(processes.RemoteRank)}
    if not known:
        return
    ranks = ", ".join(map(str, sorted(known)))
    hosts = ", ".join(sorted({one.host for one in known.values()}))
    commands = (" ".join(masked(one.command.split())) for one in known.values() if one.command)
    program = next(commands, "python train.py")
    run = f"rank {ranks} runs" if len(known) == 1 else f"ranks {ranks} run"
    message = (
        f"{run} on {hosts}, reached by ssh, and cannot be watched from here; to have every rank watched on its own "
        f"host, give the launcher, in place of the program: {there(program)}; then join the files: "
        "mlxprobe merge rank-0.json rank-1.json"
    )
    yield Remark(name=REMOTE, message=message, detail={"ranks": len(known)})


def there(program: str) -> str:
    """Return the words for a launcher that have each rank watched on its own host; `program` as a shell reads it."""
    order = f"exec mlxprobe watch --format json --output rank-$MLX_RANK.json -- {program}"
    return f"bash -c {shlex.quote(order)}"


def _children(seen: Observation) -> Iterator[Remark]:
    ended = {fact.pid: fact for fact, _ in seen.every(processes.ChildEnded)}
    told = {pid: how for pid, fact in ended.items() if (how := _failure(fact, trains=bool(seen.steps)))}
    if not told:
        crash = next((fact.error for fact, _ in seen.every(processes.FatalError)), "")
        if crash and (seen.exit_code or 0) >= 0:
            yield Remark(name="child crashed", message=f"one of its processes crashed: {crash}", detail={"crashed": 1})
        return
    known = max(len(told), *(fact.children for fact, _ in seen.every(processes.Children)), 0)
    ways = [f"{_number(list(told.values()).count(how))} {how}" for how in dict.fromkeys(told.values())]
    shells = next((why for code, why in OF_A_SHELL.items() if f"left with exit code {code}" in told.values()), "")
    yield Remark(
        name="child crashed",
        message=f"{known} child {'process' if known == 1 else 'processes'}, {', '.join(ways)}{shells}",
        detail={"children": known, "crashed": len(told)},
    )


def _left_running(seen: Observation) -> Iterator[Remark]:
    """Name the processes that a program has left running; nothing is wrong with that."""
    left = [f"{fact.pid} ({fact.command})" for fact, _ in seen.every(processes.LeftRunning)]
    if left:
        more = f" and {len(left) - MOST_NAMED} more" if len(left) > MOST_NAMED else ""
        message = f"it has ended and left {len(left)} {'process' if len(left) == 1 else 'processes'} running: "
        message += ", ".join(left[:MOST_NAMED]) + more
        yield Remark(name="left running", message=message, detail={"processes": len(left)}, grave=False)


def _failure(fact: processes.ChildEnded, *, trains: bool) -> str:
    """Say how a child failed; empty where nobody can tell that it did: exit code 1 is many commands' plain answer."""
    status = fact.status
    number = -status if status < 0 else status - SHELL_SIGNAL
    if number > 0:
        return "" if number in ASKED_TO_END else f"ended by {signal_name(number)}"
    counts = fact.worker or not trains
    return f"left with exit code {status}" if status and counts else ""


def _number(count: int) -> str:
    return "one" if count == 1 else str(count)


def _ending(seen: Observation) -> Iterator[Remark]:
    if seen.begun and seen.ended == "exited" and seen.exit_code == 0 and not seen.finished:
        message = "it left past Python's own ending (os._exit, os.exec); what came after was not seen"
        yield Remark(name="left early", message=message, grave=False)


def _memory(seen: Observation) -> Iterator[Remark]:
    for fact, one in seen.every(MemoryNearlyGone):
        detail = {name: float(value) for name, value in fact.as_dict().items()}
        yield Remark(name="memory nearly gone", message=nearly_gone(fact, one.step), detail=detail)


def _long_steps(seen: Observation) -> Iterator[Remark]:
    return metal.long_steps(seen, on_metal=seen.has(processes.OnMetal))


def nearly_gone(fact: MemoryNearlyGone, step: int) -> str:
    """Say whose memory was nearly gone, and how much of it the program held."""
    whose, holder = ("the GPU's", "MLX") if fact.gpu else ("the machine's", "the program")
    return (
        f"{whose} memory is nearly used up: {megabytes(fact.available_bytes)} of {megabytes(fact.total_bytes)} left at "
        f"step {step}, {megabytes(fact.held_bytes)} held by {holder}"
    )
