"""Functions of `mx.vmap`: a gradient function that is mapped counts as one, and nobody looks inside."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

from mlxprobe.agent.looks.inspection import Inspection
from mlxprobe.agent.wrapping import typed
from mlxprobe.agent.wrapping.arguments import like
from mlxprobe.agent.wrapping.given import Given

MADE_OF = "_mlxprobe_made_of"  # what is known of a gradient function, on what we have wrapped it in


def mapper(
    original: Callable[..., Any], here: Callable[[], Inspection | None], wrapped: Callable[..., Any]
) -> Callable[..., Any]:
    """Return `mx.vmap` as the program sees it; `here` is who looks now, and `wrapped` tells of gradient calls."""
    given = Given(original, "fun")

    @like(original)
    def vmap(*args: Any, **kwargs: Any) -> Callable[..., Any]:
        call, (fun,) = original(*args, **kwargs), given(args, kwargs)

        @like(call)
        def mapped(*fargs: Any, **fkwargs: Any) -> Any:
            inspection = here()
            if inspection is None:
                return call(*fargs, **fkwargs)
            with unseen(inspection):
                return call(*fargs, **fkwargs)

        known = typed.attributes(fun).get(MADE_OF)
        return wrapped(known[0], mapped, *known[1:], held=False) if known else mapped

    return vmap


@contextlib.contextmanager
def unseen(inspection: Inspection) -> Iterator[None]:
    """Let nobody look meanwhile: the arrays within a mapped function have no values."""
    before, inspection.busy = inspection.busy, True
    inspection.nesting.mapped += 1
    try:
        yield
    finally:
        inspection.nesting.mapped -= 1
        inspection.busy = before
