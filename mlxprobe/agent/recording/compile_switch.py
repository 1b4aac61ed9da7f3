"""Whether the program has switched `mx.compile` off, and calls of ours for which it is off."""

from __future__ import annotations

import os


class CompileSwitch:
    """MLX has no function that tells. Where compilation is off, Python runs at each call, and nothing is traced.

    MLX inlines compiled functions such as `nn.relu` within a gradient call. A replay outside of one would compile
    them, which takes seconds and a compiler: it turns compilation off.
    """

    is_off = "MLX_DISABLE_COMPILE" in os.environ

    @staticmethod
    def turn_off() -> None:
        """Switch compilation off."""
        import mlx.core as mx

        mx.disable_compile()
        CompileSwitch.is_off = True

    @staticmethod
    def turn_on() -> None:
        """Switch compilation on."""
        import mlx.core as mx

        mx.enable_compile()
        CompileSwitch.is_off = False
