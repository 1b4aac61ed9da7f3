"""Compare weights about to be loaded with the model that is to take them."""

from __future__ import annotations

from typing import Any


def differences(module: Any, file_or_weights: Any) -> dict[str, Any]:
    """Return the keys that are missing, extra, or of another shape; empty where all fit."""
    import mlx.core as mx
    from mlx.utils import tree_flatten

    weights: dict[str, Any] = mx.load(file_or_weights) if isinstance(file_or_weights, str) else dict(file_or_weights)
    current: dict[str, Any] = dict(tree_flatten(module.parameters()))
    found = {
        "missing": sorted(current.keys() - weights.keys()),
        "extra": sorted(weights.keys() - current.keys()),
        "shape": sorted(
            f"{key}: {tuple(weights[key].shape)} for {tuple(current[key].shape)}"
            for key in current.keys() & weights.keys()
            if weights[key].shape != current[key].shape
        ),
    }
    return {kind: keys[:5] + ["…"] * (len(keys) > 5) for kind, keys in found.items() if keys}
