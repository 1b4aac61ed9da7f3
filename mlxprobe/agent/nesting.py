"""Where the program is among MLX's calls: what every wrapper must know of the others."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Nesting:
    """How deep the program is in MLX's calls of itself (`depth`), and which compiled functions are being traced."""

    depth: int = 0
    tracing: list[dict[str, bool]] = field(default_factory=list)
