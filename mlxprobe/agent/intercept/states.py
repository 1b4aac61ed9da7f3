"""Where the program is when it calls MLX, as flags: what an observer needs, and what it must not see."""

from __future__ import annotations

SAMPLED = 1  # the step is looked at
GRADIENT = 2  # within a gradient call, or an update
TRACE = 4  # within a compiled function that is being traced
OURS = 8  # what we do ourselves
INSIDE = 16  # within a compiled function that we run to look into it
REPLAY = 32  # within a gradient call that we take again
MAPPED = 64  # within a function of `mx.vmap`
NEVER = 1 << 30  # no state has it: of an observer that has failed
