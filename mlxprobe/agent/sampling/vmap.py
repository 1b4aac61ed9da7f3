"""Functions of `mx.vmap`, and those that are exported: their arrays have no values, so they are not sampled.

A gradient function that is mapped counts as one.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

from mlxprobe.agent.intercept.guarded import guarded
from mlxprobe.agent.patching import static
from mlxprobe.agent.patching.bound_arguments import Given
from mlxprobe.agent.patching.signatures import like
from mlxprobe.agent.sampling.dispatcher import Inspection

MADE_OF = "_mlxprobe_made_of"  # what is known of a gradient function, on what we have wrapped it in


def mapper(
    original: Callable[..., Any], here: Callable[[], Inspection | None], wrapped: Callable[..., Any]
) -> Callable[..., Any]:
    """Return `mx.vmap` as the program sees it; `here` is who looks now, and `wrapped` tells of gradient calls."""
    given = Given(original, "fun")

    def made(once: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        call, (fun,) = once(*args, **kwargs), given(args, kwargs)

        def unseen_call(once: Callable[..., Any], inspection: Inspection, fargs: Any, fkwargs: Any) -> Any:
            with unseen(inspection):
                return once(*fargs, **fkwargs)

        @like(call)
        def mapped(*fargs: Any, **fkwargs: Any) -> Any:
            looks = here()
            if looks is None:
                return call(*fargs, **fkwargs)
            failed = looks.recorder.failed
            return guarded(failed, lambda once: unseen_call(once, looks, fargs, fkwargs), call, fargs, fkwargs)

        known = static.attributes(fun).get(MADE_OF)
        return wrapped(known[0], mapped, *known[1:], held=False) if known else mapped

    @like(original)
    def vmap(*args: Any, **kwargs: Any) -> Any:
        looks = here()
        if looks is None:
            return original(*args, **kwargs)
        return guarded(looks.recorder.failed, lambda once: made(once, args, kwargs), original, args, kwargs)

    return vmap


def exporter(original: Callable[..., Any], here: Callable[[], Inspection | None]) -> Callable[..., Any]:
    """Return a function that exports another one, which it traces, as the program sees it."""
    given = Given(original, "fun")

    def made(once: Callable[..., Any], inspection: Inspection, args: Any, kwargs: Any) -> Any:
        (fun,) = given(args, kwargs)

        @like(fun)
        def traced(*fargs: Any, **fkwargs: Any) -> Any:
            with unseen(inspection):
                return fun(*fargs, **fkwargs)

        return given.call(once, args, kwargs, traced) if callable(fun) else once(*args, **kwargs)

    @like(original)
    def export(*args: Any, **kwargs: Any) -> Any:
        looks = here()
        if looks is None:
            return original(*args, **kwargs)
        return guarded(looks.recorder.failed, lambda once: made(once, looks, args, kwargs), original, args, kwargs)

    return export


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
