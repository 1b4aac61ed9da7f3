"""A process of a watch, its rank, and the collectives that it has built."""

from __future__ import annotations

from mlxprobe.schema.base import Value


class Place(Value, frozen=True):
    """A line of a file, with its text where a report quotes it."""

    file: str
    line: int
    source: str = ""


class Process(Value, frozen=True):
    """Which process of a watch an observation is of, and its rank in the group of all, where it has told one.

    `parent` is its parent's process number at its start, `command` its words. `rank` is what MLX_RANK says, then what
    the group of all says; -1 without either. `size` is the number of ranks (0: unknown), `job` that of its job, from 1,
    where several were launched.
    """

    pid: int
    parent: int = 0
    rank: int = -1
    size: int = 0
    command: tuple[str, ...] = ()
    job: int = 0


class Collective(Value, frozen=True):
    """One collective operation of one rank, or one end of a message, in the order in which the rank has built them.

    The `n`th (from 1) that this rank has built in `group`: "world", or "world/0.1" for the part of color 1 of its
    first split. All ranks of a group call it the same; where they agree, `n` names the same operation on all of them.

    Args:
        shape: of the array that goes in; of the one that comes for recv and recv_like.
        nth: of all collectives of its group, or messages to or from its peer, that are not traced; 0 where unknown.
        peer: the other rank of a message, within `group`; -1 for a collective of all.
        step: the training step under way, as `Step.n`; 0 before the first.
        way: the lines that led to its own, where there are several: "model.py:9 < train.py:31".
        begun_s: when the first evaluation began after it was built which may hold it; None while there was none.
        done_s: when that has returned; None while it waits, or was never asked for. What a program lets lie while it
            evaluates other things, or not all ranks have built, has not run.
        sure: it is an array that this evaluation itself was given, so `begun_s` and `done_s` are its own.
        leaf: the path of the gradient that goes in, where that is known.
        traced: it was built while a function was compiled, whose calls run it again, and do not count.
        within: it was built by a gradient call: of activations, or of what goes back to them, not of whole gradients.
        passed: what was evaluated since held no collective, or others, as it was drawn, or at the same line before.
    """

    n: int
    operation: str
    shape: tuple[int, ...] = ()
    dtype: str = ""
    group: str = "world"
    peer: int = -1
    step: int = 0
    nth: int = 0
    file: str = ""
    line: int = 0
    source: str = ""
    caller: Place | None = None
    way: str = ""
    built_s: float = 0.0
    begun_s: float | None = None
    done_s: float | None = None
    sure: bool = False
    traced: bool = False
    passed: bool = False
    leaf: str = ""
    within: bool = False
