"""What random training programs are like, and the faults that they may have: plans, drawn by Hypothesis."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from typing import Any

from hypothesis import strategies as st

OPTIMIZERS = ["SGD", "Momentum", "Adam", "AdamW", "Lion", "RMSprop", "Adafactor", "Adagrad"]
LAYERS = ["linear", "dropout", "layer norm", "rms norm", "convolution", "recurrent", "attention"]
OVER_TIME = {"convolution", "recurrent", "attention"}


@dataclass(frozen=True)
class Plan:
    """What a program is like, by itself the plainest one; `settled` makes its parts fit each other."""

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
        """Return the plan of which a program can be written."""
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


@dataclass(frozen=True)
class Fault:
    """A fault: the codes of which one must be found, what else it may bring, and what a plan must be like for it."""

    codes: tuple[str, ...]
    also: tuple[str, ...] = ()
    needs: dict[str, Any] = field(default_factory=dict)


SUMMED: dict[str, Any] = {"accumulate": (2, 3, 4), "compiled": (False,)}
PLAIN: dict[str, Any] = {"start": ("fresh",), "compiled": (False,)}
FAULTS = {
    "no evaluation": Fault(
        ("MP101",), ("MP102", "MP103"), {"validates": (False,), "saves": (False,), "start": ("fresh", "pretrained")}
    ),
    "evaluates a generator": Fault(("MP104",), ("MP101", "MP102", "MP105")),
    "loss kept unevaluated": Fault(("MP105",), ("MP103",), {"compiled": (False,), "start": ("fresh",)}),
    "stopped gradient": Fault(("MP201",), ("MP306",), {"compiled": (False,)}),
    "frozen part trained": Fault(("MP202",), (), {"frozen": (True,)}),
    "sum of gradients": Fault(("MP203",), (), SUMMED | {"optimizer": ("SGD", "Momentum"), "clips": (False,)}),
    "remainder dropped": Fault(("MP204",), (), SUMMED | {"start": ("fresh", "pretrained")}),
    "copy updated": Fault(("MP205",), ("MP306",), PLAIN),
    "result dropped": Fault(("MP205",), ("MP306",), PLAIN),
    "everything frozen": Fault(("MP206",), ("MP306", "MP201", "MP205"), PLAIN | {"clips": (False,)}),
    "rate times 10,000": Fault(
        ("MP208", "MP207"),
        ("MP207", "MP208", "MP306", "MP201", "MP205"),
        {
            "task": ("regression", "autoencoder"), "optimizer": ("SGD", "Momentum"), "clips": (False,),
            "start": ("fresh", "pretrained"), "compiled": (False,),
        },
    ),
    "labels ignored": Fault(
        ("MP301",), ("MP306",), {"task": ("regression", "classification", "next token"), "compiled": (False,)}
    ),
    "log of a sum of exp": Fault(("MP302",), (), {"task": ("classification", "next token"), "compiled": (False,)}),
    "unshifted": Fault(("MP303",), (), {"task": ("next token",), "compiled": (False,)}),
    "id beyond the table": Fault(
        ("MP304",), ("MP207", "MP208", "MP306"), {"data": ("tokens",), "task": ("classification", "next token")}
    ),
    "nothing to learn": Fault(
        ("MP306",),
        ("MP205", "MP210"),
        {"task": ("regression", "classification"), "reads": ("list", "sum"), "warmup": (False,), "start": ("fresh",)},
    ),
    "prefix dropped": Fault(("MP401",), (), {"start": ("pretrained",)}),
    "optimizer state unread": Fault(("MP402",), (), {"start": ("resumed",)}),
    "compiled without state": Fault(
        ("MP501",), ("MP101", "MP205", "MP306"), {"compiled": (True,), "start": ("fresh",)}
    ),
    "counter of a compiled step": Fault(("MP502",), (), {"compiled": (True,)}),
    "fork": Fault(("MP601",)),
}  # fmt: skip


DRESS = ("style", "reads", "every", "evaluates", "labels", "saves")  # parts that must not change a number


def words(plan: Plan) -> dict[str, Any]:
    """Return in what a plan differs from the plainest one."""
    return {one.name: value for one in fields(Plan) if (value := getattr(plan, one.name)) != one.default}


def plans(**needs: Any) -> st.SearchStrategy[Plan]:
    """Draw plans; `needs` names what some parts may be."""
    parts = FIELDS | {name: st.sampled_from(allowed) for name, allowed in needs.items()}
    return st.builds(Plan, **parts).map(Plan.settled)


def faulty(*names: str) -> st.SearchStrategy[tuple[Plan, str]]:
    """Draw a fault, of those named or of all, and a plan to which it applies."""
    drawn = st.sampled_from(names or tuple(FAULTS))
    return drawn.flatmap(lambda name: st.tuples(plans(**FAULTS[name].needs), st.just(name)))
