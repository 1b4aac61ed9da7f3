"""Look at MLX's lazy graph without evaluating it."""

from __future__ import annotations

import io
from typing import Any

# Export recurses once per operation in a chain; beyond some 60,000 it can overflow an 8 MB stack.
DEPTH_LIMIT = 40_000


def leaves(tree: Any) -> list[Any]:
    """List the arrays of a nested dict, list, tuple or module."""
    import mlx.core as mx

    found: list[Any] = []
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, mx.array):
            found.append(node)
        elif isinstance(node, dict):
            waiting.extend(node.values())
        elif isinstance(node, (list, tuple)):
            waiting.extend(node)
    return found


def pending(arrays: list[Any]) -> int:
    """Count the operations that an evaluation of `arrays` would have to run.

    No attribute of an array tells whether it is evaluated; the exported graph draws each pending operation as
    a rectangle.
    """
    import mlx.core as mx

    if not arrays:
        return 0
    text = io.StringIO()
    mx.export_to_dot(text, *arrays)
    return text.getvalue().count("shape=rectangle")
