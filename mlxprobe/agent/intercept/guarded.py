"""The guard of what makes a call for the program: where ours fails, the call has its result all the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class Once:
    """A function that remembers what its call returned or raised; it has no `__init__`, for it is made at each step."""

    call: Callable[..., Any]
    done = False
    error: BaseException | None = None
    result: Any = None

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        try:
            self.result = self.call(*args, **kwargs)
        except BaseException as error:
            self.error = error
            raise
        self.done = True
        return self.result


def guarded(
    failed: Callable[[Exception], None],
    ours: Callable[[Callable[..., Any]], Any],
    call: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> Any:
    """Return what `ours` returns, which is to make the call; what that returns by itself, where ours fails.

    Raises:
        BaseException: what the call raises.
    """
    once = Once()
    once.call = call
    try:
        return ours(once)
    except Exception as error:
        if error is once.error:
            raise
        failed(error)
    finally:
        once.error = None  # its traceback holds the call, and so itself
    return once.result if once.done else call(*args, **kwargs)
