"""Which rank a process is, before it has told MLX: as its launcher has it in the environment."""

from __future__ import annotations

import os

RANKS = ("MLX_RANK", "OMPI_COMM_WORLD_RANK", "PMI_RANK", "PMIX_RANK")
SIZES = ("MLX_WORLD_SIZE", "OMPI_COMM_WORLD_SIZE", "PMI_SIZE")


def declared() -> tuple[int, int]:
    """Return the rank (-1 where there is none) and the number of ranks (0 where nobody says)."""
    return _number(RANKS, -1), _number(SIZES, 0)


def _number(names: tuple[str, ...], otherwise: int) -> int:
    return next((int(os.environ[name]) for name in names if os.environ.get(name, "").isdigit()), otherwise)
