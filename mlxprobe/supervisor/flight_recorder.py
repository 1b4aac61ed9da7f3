"""The last collectives of a process that ended before it reported them, read from its flight recorder."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from mlxprobe.agent.wire.constants import BOX_FILE, BOX_ROW
from mlxprobe.schema.observation import Collective

if TYPE_CHECKING:
    from mlxprobe.supervisor.event_log import EventLog


def collectives(folder: Path, log: EventLog) -> tuple[Collective, ...]:
    """Return all that is known of what a process has built; what it has said a last word on needs no file."""
    if not log.kinds or log.finished or log.raised:
        return log.collectives
    try:
        kept = (folder / f"{BOX_FILE}.{log.process.pid}").read_bytes()
    except OSError:  # the program may delete its folder
        return log.collectives
    known = {(one.group, one.n): one for one in log.collectives}
    for one in _rows(kept, log):
        known[one.group, one.n] = later(known.get((one.group, one.n), one), one)
    return tuple(sorted(known.values(), key=lambda one: one.built_s))


def _rows(kept: bytes, log: EventLog) -> Iterator[Collective]:
    """List the rows that can be read: the program may write into its folder what it likes."""
    whole = kept[: len(kept) - len(kept) % struct.calcsize(BOX_ROW)]
    for kind, n, nth, step, sure, *times in struct.iter_unpack(BOX_ROW, whole):
        if kind in log.kinds:
            built_s, begun_s, done_s = (round(at_s - log.started_s, 6) if at_s else None for at_s in times)
            told = {"n": n, "nth": nth, "step": step, "sure": bool(sure)}
            told |= {"built_s": built_s, "begun_s": begun_s, "done_s": done_s}
            yield msgspec.convert(log.kinds[kind] | told, Collective)


def later(one: Collective, other: Collective) -> Collective:
    """Put two words on one collective together, in whatever order they came: what has begun or come back stays so.

    Of an evaluation that was given it itself more is known than of one that came before.
    """
    if one.sure != other.sure:
        return one if one.sure else other
    begun = [told.begun_s for told in (one, other) if told.begun_s is not None]
    done = [told.done_s for told in (one, other) if told.done_s is not None]
    return msgspec.structs.replace(other, begun_s=min(begun, default=None), done_s=min(done, default=None))
