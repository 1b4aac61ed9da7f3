"""Random training programs as source text, from their plans."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from mlxprobe.fuzz.case import Step
from mlxprobe.fuzz.training_programs.loops import Loop, indented
from mlxprobe.fuzz.training_programs.plan import Plan

WIDTH, FEATURES, CLASSES, WORDS, LENGTH = 16, 6, 3, 12, 8
RATES = {
    "SGD": 0.05, "Momentum": 0.01, "Adam": 0.01, "AdamW": 0.01, "Lion": 0.003, "RMSprop": 0.005, "Adafactor": 0.03,
    "Adagrad": 0.05,
}  # fmt: skip
MORE = {
    "Momentum": ", momentum=0.9",
    "AdamW": ", weight_decay=0.01",
    "Adafactor": ", relative_step=False, scale_parameter=False",
}
LAYERS = {
    "linear": "nn.{activation}(), nn.Linear({w}, {w})",
    "dropout": "nn.Dropout(0.1), nn.Linear({w}, {w})",
    "layer norm": "nn.LayerNorm({w})",
    "rms norm": "nn.RMSNorm({w})",
    "convolution": "nn.{activation}(), nn.Conv1d({w}, {w}, kernel_size=3, padding=1)",
    "recurrent": "Recurrent({w})",
    "attention": "Attention({w})",
}
STEMS = {
    "vector": f"nn.Linear({FEATURES}, {WIDTH})",
    "series": f"nn.Conv1d({FEATURES}, {WIDTH}, kernel_size=3, padding=1)",
    "tokens": f"nn.Embedding({WORDS}, {WIDTH})",
}
OUTPUTS = {"regression": 1, "classification": CLASSES, "next token": WORDS, "autoencoder": FEATURES}
BLOCKS = """
class Recurrent(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.rnn = nn.GRU(width, width)

    def __call__(self, x):
        return x + self.rnn(x)
""", """
class Attention(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.attention = nn.MultiHeadAttention(width, 2)

    def __call__(self, x):
        y = self.norm(x)
        return x + self.attention(y, y, y, MASK)
"""  # fmt: skip
IMPORTS = """
import copy
import os
import tempfile
from functools import partial

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
from mlx.utils import tree_flatten, tree_map, tree_unflatten
"""


def source(plan: Plan) -> str:
    """Write the program of a plan."""
    return Writer(plan).text()


class Writer:
    """Write one program, a part at a time."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        has_label = plan.task != "autoencoder" and (plan.task != "next token" or plan.sliced)
        self.label = plan.labels if has_label else ""
        self.batch = f"x, {self.label}" if self.label else "x"

    def text(self) -> str:
        plan = self.plan
        blocks = [text for name, text in zip(("recurrent", "attention"), BLOCKS, strict=True) if name in plan.layers]
        causal = f"nn.MultiHeadAttention.create_additive_causal_mask({LENGTH})"
        mask = f"{causal}.astype(mx.bfloat16)" if plan.half else causal
        blocks = [one.replace("MASK", mask if plan.task == "next token" else "None") for one in blocks]
        loop = Loop(plan, self.batch)
        parts = [
            f'"""Trains a {plan.task} model with {plan.optimizer}: nothing is wrong."""',
            IMPORTS,
            f"mx.random.seed({plan.seed})\nRULE = mx.random.normal((3, {FEATURES}))",
            "RULE = RULE / mx.linalg.norm(RULE, axis=1, keepdims=True)\n",
            *blocks,
            self.network(),
            self.data(),
            self.loss(),
            self.build(),
            loop.trainer(),
            loop.main(),
        ]
        return "\n".join(part.strip("\n") + "\n" for part in parts)

    def network(self) -> str:
        plan = self.plan
        layers = [LAYERS[name].format(w=WIDTH, activation=plan.activation) for name in plan.layers]
        if plan.nested and len(layers) > 1:
            layers = [layers[0], f"nn.Sequential({', '.join(layers[1:])})"]
        pool = ".mean(axis=1)" if plan.data != "vector" and plan.task != "next token" else ""
        given = "x.astype(mx.bfloat16)" if plan.half and plan.data != "tokens" else "x"
        return f"""
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = {STEMS[plan.data]}
        self.body = nn.Sequential({", ".join(layers)})
        self.head = nn.Linear({WIDTH}, {OUTPUTS[plan.task]})

    def __call__(self, x):
        x = self.stem({given})
        x = self.body(x)
        return self.head(x{pool}){".astype(mx.float32)" if plan.half else ""}
"""

    def data(self) -> str:
        plan, y = self.plan, self.label or "y"
        means = "x.mean(axis=1)" if plan.data == "series" else "x"
        own, noise = f"mx.random.normal((32, 1, {FEATURES}))", f"mx.random.normal((32, {LENGTH}, {FEATURES}))"
        lines = [f"x = {own} + 0.3 * {noise}" if plan.data == "series" else f"x = mx.random.normal((32, {FEATURES}))"]
        if plan.task == "autoencoder":
            lines = ["x = mx.random.normal((32, 3)) @ RULE"]
        elif plan.task == "regression":
            lines.append(f"{y} = 1.5 * ({means} @ RULE[0])[:, None] + 1")
        elif plan.task == "next token":
            lines = [f"start = mx.random.randint(0, {WORDS}, (16, 1))"]
            lines.append(f"x = (start + 5 * mx.arange({LENGTH + 1})) % {WORDS}")
            lines += [f"x, {y} = x[:, :-1], x[:, 1:]"] * bool(self.label)
        elif plan.data == "tokens":
            lines = [f"{y} = mx.random.randint(0, {CLASSES}, (32,))"]
            lines.append(f"x = {CLASSES} * mx.random.randint(0, {WORDS // CLASSES}, (32, {LENGTH})) + {y}[:, None]")
        else:
            lines.append(f"{y} = mx.argmax({means} @ RULE.T, axis=1)")
        return "\n".join(
            ["def batches(count):", "    for _ in range(count):", *indented([*lines, f"yield {self.batch}"], 2)]
        )

    def loss(self) -> str:
        plan = self.plan
        outputs, classes = "model(x)", self.label
        if plan.task == "next token" and not self.label:
            outputs, classes = "model(x[:, :-1])", "x[:, 1:]"
        value = f'nn.losses.cross_entropy(outputs, {classes}, reduction="mean")'
        if plan.task in ("regression", "autoencoder"):
            value = f"mx.mean((outputs - {self.label or 'x'}) ** 2)"
        shared = plan.accumulate > 1 and plan.averages == "loss"
        lines = [
            f"outputs = {outputs}",
            f"value = {value}",
            f"return value / {plan.accumulate}" if shared else "return value",
        ]
        return "\n".join([f"def loss_fn(model, {self.batch}):", *indented(lines)])

    def optimizer(self) -> str:
        plan = self.plan
        rate = RATES[plan.optimizer] * (6 if plan.optimizer in ("SGD", "Momentum") and self.chooses else 1)
        how = f"{rate:.6g}"
        if plan.warmup:
            how = f"optim.join_schedules([optim.linear_schedule(0.0, {how}, 5), optim.cosine_decay({how}, 60)], [5])"
        kind = {"Momentum": "SGD"}.get(plan.optimizer, plan.optimizer)
        return f"optim.{kind}(learning_rate={how}{MORE.get(plan.optimizer, '')})"

    @property
    def chooses(self) -> bool:
        return self.plan.task in ("classification", "next token")

    def build(self) -> str:
        lines = ["model = Net()"]
        lines += ["model.set_dtype(mx.bfloat16)"] * self.plan.half
        lines += ["model.stem.freeze()"] * self.plan.frozen
        return "\n".join(["def build():", *indented([*lines, f"return model, {self.optimizer()}"])])


def keywords(step: Step) -> dict[str, Any]:
    """Return the named arguments of a call; of a program, which is drawn as a plan, the texts."""
    if step.function != "train.program":
        return step.keywords
    plan = Plan(**step.keywords.get("plan", {}))
    other = replace(plan, **step.keywords.get("dress", {}))
    if (other.style, other.start) == ("plain", "resumed"):
        other = replace(other, style="function")
    return {"source": source(plan), "other": source(other)}
