"""Put together what was seen of one process of a watch."""

from __future__ import annotations

import itertools
import signal
import time
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING

import msgspec

from mlxprobe.protocol.fact import Fact
from mlxprobe.protocol.facts import processes
from mlxprobe.protocol.facts.losses import Supervision
from mlxprobe.protocol.facts.updates import AnotherTraining
from mlxprobe.protocol.facts.work import EventLost
from mlxprobe.schema.from_record import jobs
from mlxprobe.schema.losses import is_single_mean
from mlxprobe.schema.observation import Environment, Observation, Sample, Sighting, Silence
from mlxprobe.schema.run_summary import Sheet
from mlxprobe.supervisor import flight_recorder

if TYPE_CHECKING:
    from mlxprobe.supervisor.event_log import EventLog
    from mlxprobe.supervisor.watch import Watcher

CODE_WITHIN_S = 5.0
OF_CHILDREN = (processes.ChildEnded, processes.Children, processes.Fork, processes.Forked, processes.RemoteRank)
BY_OTHERS = (signal.SIGTERM, signal.SIGINT, signal.SIGKILL)
FATAL = {  # as faulthandler writes them
    "Segmentation fault": signal.SIGSEGV,
    "Aborted": signal.SIGABRT,
    "Bus error": signal.SIGBUS,
    "Illegal instruction": signal.SIGILL,
    "Floating-point exception": signal.SIGFPE,
}


def observed(watcher: Watcher, log: EventLog, ended: str) -> Observation:
    """Return what was seen so far of the process of a log; `ended` is what became of the whole.

    A single program has the figures of the whole tree; of several, each has its own.
    """
    child, alone = watcher.child, len(watcher.processes.programs) == 1
    leads = log is watcher.log
    code = _exit_code(watcher, log, alone=alone)
    lives_on = log.process.pid in {pid for pid, _ in child.running}
    how = "running" if lives_on else ended if alone else _ended(watcher, log, ended)
    stacks = watcher.stacks.crash(log.process.pid or child.pid)
    shown = log.raised is not None and code == 0 and how == "exited"  # by a console: it has ended nothing
    return Observation(
        program=watcher.program.name,
        limits=watcher.limits,
        process=log.process if log.process.pid else None,
        ended=how,
        exit_code=None if lives_on else code,
        begun=log.begun,
        finished=log.finished or shown,
        mlx=log.mlx,
        garbled=(watcher.processes.garbled + bool(child.unfinished_events())) if leads else 0,
        wall_s=(child.exited_s or time.monotonic()) - child.started_s,
        detection_s=watcher.detected_s,
        begun_s=log.begun_s,
        finished_s=log.finished_s,
        longest_silence_s=watcher.longest_s,
        silence=_silence(watcher, log, how, alone=alone),
        raised=None if shown else log.raised,
        steps=tuple(log.steps),
        losses=tuple(sorted(log.losses, key=lambda one: one.step)),  # those of a list are read late
        samples=tuple(watcher.tree.samples) if alone else own_samples(watcher, log),
        memory=tuple(log.memory),
        sightings=(*filter(_is_true_still(watcher), log.sightings), *_lost(log), *(_around(watcher) if leads else ())),
        stacks=stacks if code is not None and code < 0 and how == "exited" else (),
        sheet=_sheet(log),
        result=log.result,
        score=log.score,
        collectives=flight_recorder.collectives(child.folder, log),
        evaluating_s=log.evaluating_s,
        output_tail=child.output(),
        left_behind=child.left if leads else (),
        left=log.left and log.status is not None,
    )


def own_samples(watcher: Watcher, log: EventLog) -> tuple[Sample, ...]:
    """Return the memory samples of one process of several, with the peak that it reported itself if that is higher."""
    seen, own = watcher.tree.apart.get(log.process.pid, []), log.held
    more = own is not None and own.rss_bytes > max((one.rss_bytes for one in seen), default=0)
    return (*seen, own) if own is not None and more else tuple(seen)


def _sheet(log: EventLog) -> Sheet:
    """Return the facts of a run; a loss that compares no outputs with one target each has no chance level."""
    sheet = up_to_date(msgspec.convert(log.sheet, Sheet, strict=False), log)
    begun = tuple((one.fact.stream, one.fact.call) for one in log.sightings if isinstance(one.fact, AnotherTraining))
    sheet = msgspec.structs.replace(sheet, begun=begun, mean_loss=is_single_mean(log.sightings))
    told = [one.fact.supervised for one in log.sightings if isinstance(one.fact, Supervision)]
    if sheet.model is None or not told or any(told):
        return sheet
    return msgspec.structs.replace(sheet, model=msgspec.structs.replace(sheet.model, classes=0))


def up_to_date(sheet: Sheet, log: EventLog) -> Sheet:
    """Count the steps that came after a sheet was sent: a program that hangs or is ended sends none of its end.

    A step is an update once there is one, and steps are numbered from there on.
    """
    done = log.steps[-1].n if log.steps else 0
    if log.finished or not sheet.updates or done <= sheet.updates:
        return sheet
    later = itertools.takewhile(lambda step: step.n > sheet.updates, reversed(log.steps))
    gradients = sheet.gradients + sum(step.gradients for step in later)
    if len(log.steps) < done:  # some are thinned
        gradients = round(sheet.gradients * done / sheet.updates)
    return msgspec.structs.replace(sheet, updates=done, gradients=gradients, as_of=sheet.updates)


def keeping(watcher: Watcher, heard: Collection[int]) -> list[int] | None:
    """Return the processes of those ranks without whose move the others cannot go on; None where it has no ranks.

    `heard` are the processes that have answered in this silence.
    """
    if not watcher.processes.of_group:
        return None
    from mlxprobe.diagnosis.ranks import wait_for_graph  # what a start does not wait for

    found: list[int] | None = None
    for job in jobs(watcher.observations("stalled")):
        ranks = wait_for_graph.keeping(job, heard)
        programs = {one.process.rank: one.process.pid for one in job if one.process}
        if ranks is not None:
            found = (found or []) + [programs[rank] for rank in ranks]
    return found


def _is_true_still(watcher: Watcher) -> Callable[[Sighting[Fact]], bool]:
    """Return a check whether a fact still holds: a process seen with MLX may have reported itself since."""
    known = watcher.processes.pids
    return lambda one: not isinstance(one.fact, processes.AnotherProcess) or one.fact.pid not in known


def leaving(watcher: Watcher) -> bool:
    """Check whether a process has sent its last event, and its exit code is still to come."""
    now_s = time.monotonic() - watcher.child.started_s
    last = [log for log in watcher.processes.programs if log.finished and now_s - log.finished_s < CODE_WITHIN_S]
    return any(_exit_code(watcher, log, alone=False) is None for log in last)


def _exit_code(watcher: Watcher, log: EventLog, *, alone: bool) -> int | None:
    """Return a process's exit code; None where it is unknown."""
    child, pid = watcher.child, log.process.pid
    if pid in (0, child.pid) and child.above_pid:  # else only the process itself reports it
        return child.exit_code
    told = watcher.processes.statuses(child.orphans).get(pid)
    if told is None and (word := watcher.stacks.fatal(pid)) in FATAL:
        told = -FATAL[word]
    if log.asked is not None and (told is None or -told in BY_OTHERS):  # a launcher's, while it was about to leave
        return log.asked
    if log.finished and not alone and told is not None and -told in BY_OTHERS:  # nor is what would have been known
        return None
    if told is None and alone and (log.finished or log.left or child.exit_code):
        return child.exit_code  # the shell's that started it
    return told


def _ended(watcher: Watcher, log: EventLog, ended: str) -> str:
    """Say what ended one process of several: itself, where it had gone before the whole was ended."""
    raised = log.raised is not None and ended != "interrupted"  # that was its last word
    over = log.finished or raised or log.status is not None or log.process.pid in watcher.processes.gone
    if ended != "exited":
        return "exited" if over else ended
    told = watcher.processes.statuses(watcher.child.orphans)  # processes that we ended are not among them
    return "exited" if over or log.process.pid in told else "abandoned"


def _silence(watcher: Watcher, log: EventLog, ended: str, *, alone: bool) -> Silence | None:
    """Return the silence of the whole as one process has its part in it."""
    found = watcher.silence(ended)
    if found is None or alone:
        return found
    mine = {log.process.pid, *log.pids}
    mine |= {one.process.pid for one in watcher.processes.others if one.process.parent in mine}
    now_s = (watcher.detected_s or time.monotonic() - watcher.child.started_s) - log.progress_s
    stacks = tuple(stack for stack in found.stacks if stack.pid in mine)
    waits = found.waits if log.evaluating_s is None else ""  # else it is another process's wait
    return msgspec.structs.replace(found, silent_s=max(now_s, 0.0), stacks=stacks, waits=waits)


def _lost(log: EventLog) -> list[Sighting[Fact]]:
    return [Sighting(fact=EventLost(event=what), count=count) for what, count in log.lost.items()]


def _around(watcher: Watcher) -> list[Sighting[Fact]]:
    """Return what is known of processes that are no programs: how they ended, and how many were left out."""
    known, rows = watcher.processes, {log.process.pid for log in watcher.processes.programs}
    found: list[Sighting[Fact]] = [
        Sighting(fact=processes.ChildEnded(pid=pid, status=code)) for pid, code in watcher.child.orphans
    ]
    found += [one for log in known.others for one in log.sightings if isinstance(one.fact, OF_CHILDREN)]
    found = [one for one in found if getattr(one.fact, "pid", None) not in rows]
    if known.nonsense:
        found.append(Sighting(fact=processes.Nonsense(line=known.nonsense), count=known.garbled))
    for pid, command in watcher.child.running:
        found.append(Sighting(fact=processes.LeftRunning(pid=pid, command=command)))
    if known.left_out:
        found.append(Sighting(fact=processes.ProcessesLeftOut(), count=len(known.left_out)))
    others = [log.process.pid for log in known.logs.values() if (_exit_code(watcher, log, alone=False) or 0) >= 0]
    errors = filter(None, map(watcher.stacks.fatal, others))  # of forks, that have their parents' files
    return found + [Sighting(fact=processes.FatalError(error=error)) for error in errors]


def environment_of(watcher: Watcher | None) -> Environment:
    """Return what the agent has reported of its interpreter, and this machine's name."""
    import platform  # it asks another program, once

    if watcher is None:  # it had ended before it was polled
        return Environment(python="", executable="", platform=platform.platform())
    log = watcher.log
    return Environment(
        python=log.python, executable=log.executable, platform=platform.platform(), mlx=log.mlx, device=log.device
    )
