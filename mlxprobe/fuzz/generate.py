"""Cases from a seed: the same on every machine that has the same Hypothesis."""

from __future__ import annotations

import difflib
import fnmatch
import random
import re
from collections.abc import Iterator, Sequence
from itertools import chain, count, islice
from typing import Any

import msgspec
from hypothesis import strategies as st
from hypothesis.control import BuildContext
from hypothesis.errors import StopTest, UnsatisfiedAssumption
from hypothesis.internal.conjecture.data import ConjectureData
from hypothesis.internal.conjecture.providers import HypothesisProvider

from mlxprobe.fuzz.case import CALLS, TRAINING, Case, Step
from mlxprobe.fuzz.operations import OPERATIONS, Operation
from mlxprobe.fuzz.strategies import Arguments, Draw
from mlxprobe.schema.errors import UsageError

ATTEMPTS = 20
DEEPEST = 5  # further calls
MOST_CLOSE = 5  # names that are told instead of one that there is not
SHARE = 6  # programs, of which one is a training
PLAIN = ("plain", "plain", "plain", "", "plain", "", "plain", "")  # without special values and further calls
UNARY = (
    "sin",
    "cos",
    "tanh",
    "sigmoid",
    "arctan",
    "negative",
    "square",
    "transpose",
    "flatten",
    "sum",
    "mean",
    "softmax",
)
ENDS: tuple[list[Step], ...] = (  # of what returns several arrays: as they are, all used, one of them alone
    [],
    [Step(function="concatenate", arguments=({"pieces": 0},))],
    [Step(function="flatten", arguments=({"result": -1},))],
)


class Provider(HypothesisProvider):
    """Draw as Hypothesis does, but no numbers from the source code that happens to be imported: IDs must last."""

    def _maybe_draw_constant(self, *_: Any, **__: Any) -> Any:
        return None


def named(globs: Sequence[str]) -> list[str]:
    """Return the operations that fit.

    Raises:
        UsageError: none does.
    """
    found = sorted(name for name in OPERATIONS if any(fnmatch.fnmatchcase(name, glob) for glob in globs or ("*",)))
    if not found:
        words = [re.sub(r"[*?\[\]!]", "", glob) for glob in globs]
        close = [one for word in words for one in difflib.get_close_matches(word, OPERATIONS, MOST_CLOSE)]
        meant = f"did you mean {', '.join(close[:MOST_CLOSE])}? " if close else ""
        raise UsageError(f"--ops {' '.join(globs)}: fits no operation; {meant}`mlxprobe fuzz --list-ops` lists all")
    return found


def cases(number: int, globs: Sequence[str] = ()) -> Iterator[Case]:
    """Yield the cases of programs without end: of six programs one is a training, where `globs` allow both."""
    names = named(globs)
    trained, others = ([one for one in names if one.startswith(TRAINING) is kept] for kept in (True, False))
    if not trained or not others:
        yield from chain.from_iterable(_in_turn(number, names))
    trainings, calls = _in_turn(number, trained), _in_turn(number, others)
    while True:
        yield from chain.from_iterable(islice(calls, SHARE - 1))
        yield from next(trainings)


def _in_turn(number: int, names: Sequence[str]) -> Iterator[list[Case]]:
    """Yield a program of every operation, in an order of the seed's, then again one of every one.

    A program is one training, or calls of one operation.
    """
    order = list(names)
    random.Random(number).shuffle(order)  # noqa: S311 - the same order everywhere
    calls = {name: 1 if name.startswith(TRAINING) else CALLS for name in order}
    return (
        [case_of(name, number, turn * calls[name] + k) for k in range(calls[name])]
        for turn in count()
        for name in order
    )


def replayed(identity: str) -> Case:
    """Return the case of an ID, `OPERATION:SEED:NUMBER`.

    Raises:
        UsageError: there is no such case.
    """
    found = re.fullmatch(r"(.+):(\d+):(\d+)", identity)
    if found and found[1] in OPERATIONS:
        return case_of(found[1], int(found[2]), int(found[3]))
    raise UsageError(f"--replay {identity}: no such case; an ID is OPERATION:SEED:NUMBER, as softmax:0:3")


def case_of(name: str, number: int, turn: int) -> Case:
    """Draw one case from Hypothesis' own source of choices; its engine, which looks for the next, costs 30 times that.

    Raises:
        RuntimeError: the strategies of an operation never come to an end.
    """
    call = None if name.startswith(TRAINING) else turn % CALLS
    first = random.Random(f"{name}:{number}:{turn // CALLS}").randrange(CALLS)  # noqa: S311
    for attempt in range(ATTEMPTS):
        choices = random.Random(f"{name}:{number}:{turn}:{attempt}")  # noqa: S311
        data = ConjectureData(random=choices, provider=Provider)
        try:
            with BuildContext(data, is_final=False, wrapped_test=case_of):
                made = drawn(Draw(data.draw, call, first), OPERATIONS[name])
        except (StopTest, UnsatisfiedAssumption):
            continue
        return msgspec.structs.replace(made, id=f"{name}:{number}:{turn}")
    raise RuntimeError(f"{name}: no case in {ATTEMPTS} attempts")


def drawn(draw: Draw, operation: Operation) -> Case:
    """Draw one case: the operation's arguments, what is composed with it, axes for vmap."""
    made = operation.build(draw)
    if draw.of(*PLAIN) == "plain":
        made = made._replace(arrays=tuple(msgspec.structs.replace(one, special=()) for one in made.arrays))
    steps = [Step(function=operation.name, arguments=made.arguments, keywords=made.keywords)]
    plain = not any(one.special for one in made.arrays)
    if operation.several:
        steps += draw(st.sampled_from(ENDS))
    elif operation.smooth and any(one.is_float for one in made.arrays) and plain and operation.name[:4] != "fft.":
        deep = 0 if draw.of(*PLAIN) == "plain" else draw(st.sampled_from((0, 0, 1, 2, DEEPEST)))
        steps += [_then(draw, UNARY) for _ in range(deep)]
    axes = _axes(draw, len(made.arrays))
    still, light = _still(draw, operation, made), bool(draw.turn)
    return Case(id="", arrays=made.arrays, steps=tuple(steps), axes=tuple(axes), still=still, light=light)


def _axes(draw: Draw, count: int) -> list[int | None]:
    """Choose along which axis each array is batched by vmap: all along the same end, one alone, or any."""
    ends = {"first": (0,), "last": (-1,)}
    rhythm = draw.of("first", "last", "alone", "any", "last", "alone", "any")
    found: list[int | None] = [draw(st.sampled_from(ends.get(rhythm, (0, 0, -1, None)))) for _ in range(count)]
    if rhythm == "alone" or all(axis is None for axis in found):
        chosen = draw(st.integers(0, max(count - 1, 0)))
        found = [draw(st.sampled_from((0, -1))) if k == chosen else None for k in range(count)]
    return found


def _still(draw: Draw, operation: Operation, made: Arguments) -> tuple[int, ...]:
    """Choose the arrays that are held still: derivatives by one argument alone take other paths than by all."""
    named = range(len(made.arrays)) if isinstance(operation.smooth, bool) else operation.smooth
    free = [k for k in named if made.arrays[k].is_smooth]
    if len(free) < 2:
        return ()
    moves = draw(st.sampled_from((*[None] * len(free), *free)))
    if draw.turn is not None:  # in another rhythm than dtypes
        moves = (None, *free)[(draw.turn + draw.turn // 3) % (1 + len(free))]
    if moves is None:
        return ()
    return tuple(k for k in free if k != moves)


def _then(draw: Draw, names: Sequence[str]) -> Step:
    return Step(function=draw(st.sampled_from(names)), arguments=({"result": 0},))
