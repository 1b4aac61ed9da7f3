"""Whether the program has switched `mx.compile` off, and calls of ours for which it is off."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator


class CompileSwitch:
    """MLX has no function that tells. Where compilation is off, Python runs at each call, and nothing is traced."""

    is_off = "MLX_DISABLE_COMPILE" in os.environ


@contextlib.contextmanager
def uncompiled() -> Iterator[None]:
    """Switch compilation off meanwhile.

    MLX inlines compiled functions such as `nn.relu` within a gradient call. Called outside of one they are compiled,
    which takes seconds and a compiler.
    """
    import mlx.core as mx

    if CompileSwitch.is_off:
        yield
        return
    try:
        mx.disable_compile()
        yield
    finally:
        mx.enable_compile()
