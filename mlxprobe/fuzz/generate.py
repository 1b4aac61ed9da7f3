"""Cases from a seed: the same on every machine that has the same Hypothesis."""

from __future__ import annotations

import fnmatch
import random
import re
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from hypothesis.internal.conjecture.providers import AVAILABLE_PROVIDERS, HypothesisProvider

from mlxprobe.fuzz.case import Case, Step
from mlxprobe.fuzz.operations import OPERATIONS, Operation
from mlxprobe.fuzz.strategies import Draw
from mlxprobe.values.errors import UsageError

BLOCK = 8  # cases that are drawn together: one operation's, of one seed
DEEPEST = 5  # further calls
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


class Provider(HypothesisProvider):
    """Draw as Hypothesis does, but no numbers from the source code that happens to be imported: IDs must last."""

    def _maybe_draw_constant(self, *_: Any, **__: Any) -> Any:
        return None


AVAILABLE_PROVIDERS["mlxprobe"] = f"{__name__}.Provider"


def named(globs: Sequence[str]) -> list[str]:
    """Return the operations that fit.

    Raises:
        UsageError: none does.
    """
    found = sorted(name for name in OPERATIONS if any(fnmatch.fnmatchcase(name, glob) for glob in globs or ("*",)))
    if not found:
        raise UsageError(f"--ops {' '.join(globs)}: fits no operation; there are {', '.join(sorted(OPERATIONS))}")
    return found


def cases(number: int, globs: Sequence[str] = ()) -> Iterator[Case]:
    """Yield cases without end: every operation once, in an order of the seed's, then every one again."""
    names, turn = named(globs), 0
    random.Random(number).shuffle(names)  # noqa: S311 - the same order everywhere
    blocks: dict[str, list[Case]] = {}
    while True:
        for name in names:
            if turn % BLOCK == 0:
                blocks[name] = block(name, number, turn // BLOCK)
            if turn % BLOCK < len(blocks[name]):
                yield blocks[name][turn % BLOCK]
        turn += 1


def replayed(identity: str) -> Case:
    """Return the case of an ID, `OPERATION:SEED:NUMBER`.

    Raises:
        UsageError: there is no such case.
    """
    found = re.fullmatch(r"(.+):(\d+):(\d+)", identity)
    if found and found[1] in OPERATIONS:
        turn = int(found[3])
        drawn = block(found[1], int(found[2]), turn // BLOCK)
        if turn % BLOCK < len(drawn):
            return drawn[turn % BLOCK]
    raise UsageError(f"--replay {identity}: no such case; an ID is OPERATION:SEED:NUMBER, as softmax:0:3")


def block(name: str, number: int, turn: int) -> list[Case]:
    """Draw some cases of one operation; the first that Hypothesis gives is always its simplest, and is left out."""
    found: list[Case] = []

    @seed(int.from_bytes(f"{name}:{number}:{turn}".encode(), "big"))
    @settings(
        backend="mlxprobe",
        max_examples=BLOCK + 1,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(st.data())
    def collect(data: st.DataObject) -> None:
        found.append(drawn(data.draw, OPERATIONS[name]))

    collect()
    return [
        msgspec.structs.replace(one, id=f"{name}:{number}:{turn * BLOCK + k}")
        for k, one in enumerate(found[1 : BLOCK + 1])
    ]


def drawn(draw: Draw, operation: Operation) -> Case:
    """Draw one case: the operation's arguments, what is composed with it, axes for vmap."""
    made = operation.build(draw)
    steps = [Step(function=operation.name, arguments=made.arguments, keywords=made.keywords)]
    if operation.name.startswith("fft.") and any(one.is_float for one in made.arrays):
        steps += [] if "irfft" in operation.name or "shift" in operation.name else [_then(draw, ("real", "imag"))]
    elif operation.smooth and any(one.is_float for one in made.arrays) and not any(one.special for one in made.arrays):
        depth = draw(st.sampled_from((0, 0, 1, 2, DEEPEST)))
        steps += [_then(draw, UNARY) for _ in range(depth)]
    axes: list[int | None] = [draw(st.sampled_from((0, 0, -1, None))) for _ in made.arrays]
    if axes and all(axis is None for axis in axes):
        axes[0] = 0
    return Case(id="", arrays=made.arrays, steps=tuple(steps), axes=tuple(axes))


def _then(draw: Draw, names: Sequence[str]) -> Step:
    return Step(function=draw(st.sampled_from(names)), arguments=({"result": 0},))
