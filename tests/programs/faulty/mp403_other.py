# Inference alone: a stored adapter for a ranking model, with the configuration that it came with.
import json
import tempfile
from pathlib import Path

import mlx.core as mx
import mlx.nn as nn


class Patch(nn.Module):
    """down, up: torch's way round."""

    def __init__(self, inp, out, rank, alpha):
        super().__init__()
        self.down = mx.random.normal((rank, inp))
        self.up = mx.zeros((out, rank))
        self.factor = alpha / rank

    def __call__(self, x):
        return self.factor * ((x @ self.down.T) @ self.up.T)


class Patched(nn.Module):
    def __init__(self, base, rank=4, alpha=4):
        super().__init__()
        self.base = base
        self.patch = Patch(base.weight.shape[1], base.weight.shape[0], rank, alpha)

    def __call__(self, x):
        return self.base(x) + self.patch(x)


class Ranker(nn.Module):
    def __init__(self):
        super().__init__()
        self.query = Patched(nn.Linear(12, 32))
        self.score = Patched(nn.Linear(32, 8, bias=False))

    def __call__(self, x):
        return self.score(nn.silu(self.query(x)))


def published(folder):
    """Write what another program has trained."""
    mx.random.seed(5)
    shapes = {"query": (12, 32), "score": (32, 8)}
    weights = {f"{k}.patch.down": mx.random.normal((4, i)) for k, (i, _) in shapes.items()}
    weights |= {f"{k}.patch.up": 0.1 * mx.random.normal((o, 4)) for k, (_, o) in shapes.items()}
    mx.savez(folder / "adapter.npz", **weights)
    (folder / "adapter_config.json").write_text(json.dumps({"peft_type": "LORA", "r": 4, "lora_alpha": 32}))


def load(folder):
    model = Ranker()
    weights = mx.load(str(folder / "adapter.npz"))
    model.load_weights(list(weights.items()), strict=False)  # MP403
    return model


with tempfile.TemporaryDirectory() as name:
    published(Path(name))
    model = load(Path(name))
    print(mx.argmax(model(mx.random.normal((6, 12))), axis=1).tolist())
