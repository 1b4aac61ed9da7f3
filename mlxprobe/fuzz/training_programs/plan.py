"""Plans of random training programs, drawn by Hypothesis."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

from hypothesis import strategies as st

OPTIMIZERS = ["SGD", "Momentum", "Adam", "AdamW", "Lion", "RMSprop", "Adafactor", "Adagrad"]
LAYERS = ["linear", "dropout", "layer norm", "rms norm", "convolution", "recurrent", "attention"]
OVER_TIME = {"convolution", "recurrent", "attention"}


@dataclass(frozen=True)
class Plan:
    """The parts of a program, by default of the plainest one; `settled` makes them fit each other."""

    task: str = "regression"
    data: str = "vector"
    layers: tuple[str, ...] = ("linear",)
    nested: bool = False
    activation: str = "Tanh"
    optimizer: str = "SGD"
    warmup: bool = False
    clips: bool = False
    accumulate: int = 1
    averages: str = "loss"
    style: str = "plain"
    compiled: bool = False
    reads: str = "list"
    every: int = 2
    validates: bool = False
    saves: bool = False
    start: str = "fresh"
    frozen: bool = False
    half: bool = False
    streams: bool = False
    sliced: bool = False
    labels: str = "y"
    evaluates: int = 0
    seed: int = 0

    def settled(self) -> Plan:
        """Return the plan of a program that can be written."""
        data = {"autoencoder": "vector", "next token": "tokens"}.get(self.task, self.data)
        data = "series" if (self.task, data) == ("regression", "tokens") else data
        layers = tuple(one for one in self.layers if data != "vector" or one not in OVER_TIME)
        if self.task == "next token":  # a convolution would see the answers, and without memory there is nothing else
            layers = (*(one for one in layers if one != "convolution"), "attention" if self.nested else "recurrent")
        return replace(
            self,
            data=data,
            layers=layers or ("linear",),
            accumulate=1 if self.compiled else self.accumulate,
            style="function" if (self.style, self.start) == ("plain", "resumed") else self.style,
        )


FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "task": st.sampled_from(["regression", "classification", "next token", "autoencoder"]),
    "data": st.sampled_from(["vector", "series", "tokens"]),
    "layers": st.lists(st.sampled_from(LAYERS), min_size=1, max_size=4).map(tuple),
    "activation": st.sampled_from(["ReLU", "GELU", "Tanh", "SiLU"]),
    "optimizer": st.sampled_from(OPTIMIZERS),
    "accumulate": st.sampled_from([1, 1, 2, 3, 4]),
    "averages": st.sampled_from(["loss", "gradients"]),
    "style": st.sampled_from(["plain", "function", "class"]),
    "compiled": st.sampled_from([False, False, False, True]),
    "reads": st.sampled_from(["list", "sum", "every"]),
    "every": st.sampled_from([2, 5]),
    "start": st.sampled_from(["fresh", "fresh", "fresh", "pretrained", "resumed"]),
    "labels": st.sampled_from(["y", "labels", "target", "wanted"]),
    "evaluates": st.integers(0, 2),
    "seed": st.integers(0, 999),
    **dict.fromkeys(["nested", "warmup", "clips", "validates", "saves", "frozen", "half", "streams", "sliced"],
                    st.booleans()),
}  # fmt: skip


DRESS = ("style", "reads", "every", "evaluates", "labels", "saves")  # parts that must not change a number


def words(plan: Plan) -> dict[str, Any]:
    """Return the parts of a plan that differ from the plainest one."""
    return {one.name: value for one in fields(Plan) if (value := getattr(plan, one.name)) != one.default}


def plans(**needs: Any) -> st.SearchStrategy[Plan]:
    """Draw plans; `needs` lists the allowed values of some parts."""
    parts = FIELDS | {name: st.sampled_from(allowed) for name, allowed in needs.items()}
    return st.builds(Plan, **parts).map(Plan.settled)
