"""What could not be judged is reported, with the reason."""

from __future__ import annotations

import ast
import inspect
import os
import sys
from collections.abc import Iterable
from pathlib import Path

import msgspec
import pytest
from making import seen as healthy
from watching import GUARD_S

import mlxprobe.agent
from mlxprobe.agent.inspectors import ALL
from mlxprobe.agent.inspectors.losses.loss_graph import Losses
from mlxprobe.agent.recording.recorder import Recorder
from mlxprobe.agent.sampling.dispatcher import Inspection
from mlxprobe.agent.sampling.inspector import Inspector, missing
from mlxprobe.agent.sampling.step_view import StepView
from mlxprobe.agent.wire.channel import Channel
from mlxprobe.diagnosis import RULES
from mlxprobe.diagnosis.unchecked import reads, unchecked
from mlxprobe.protocol.fact import FACTS
from mlxprobe.protocol.facts.losses import LossGraphSeen
from mlxprobe.protocol.facts.models import CallNotRepeated
from mlxprobe.protocol.facts.work import DetectorFailed
from mlxprobe.reports import diagnosis
from mlxprobe.runner.judging import judged
from mlxprobe.schema.observation import Limits, Observation, Program, Sighting, Step
from mlxprobe.schema.run_summary import Sheet
from mlxprobe.supervisor.watch import observe

LIMITS = Limits(stall_s=1.0, startup_s=1.0, timeout_s=1.0, memory_bytes=1)

REFUSES = """
import mlx.core as mx, mlx.nn as nn, mlx.optimizers as optim

class Proud(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(4, 1)

    def __call__(self, x):
        if bool(mx.array_equal(x[:1], x[1:2]).item()):
            raise ValueError("two rows alike")
        return self.layer(x)

model, optimizer = Proud(), optim.SGD(0.01)
step = nn.value_and_grad(model, lambda x, y: nn.losses.mse_loss(model(x), y))
for _ in range(8):
    x = mx.random.normal((16, 4))
    loss, grads = step(x, x[:, :1])
    optimizer.update(model, grads)
    mx.eval(loss, model.parameters())
"""


HOOKS = [name for name in vars(Inspector) if not name.startswith("_") and callable(getattr(Inspector, name))]
OWN = {Path(inspect.getfile(kind)) for kind in ALL}
AGENT = Path(mlxprobe.agent.__file__).parent
WHY = {CallNotRepeated.__name__}  # facts that say why others are missing
BREAKS = """
import sys

from mlxprobe.agent.inspectors import ALL

broken = sys.argv[1].split(",")

def fails(self, *_, **__):
    raise KeyError("ours")

for kind in ALL:
    if kind.__name__ in broken or broken == ["ALL"]:
        for hook in sys.argv[2].split(","):
            setattr(kind, hook, fails)

import mlx.core as mx, mlx.nn as nn, mlx.optimizers as optim

mx.random.seed(0)
model, optimizer = nn.Linear(4, 2), optim.Adam(1e-2)
f = nn.value_and_grad(model, lambda x, y: nn.losses.mse_loss(model(x), y))

def step(x, y):
    value, grads = f(x, y)
    optimizer.update(model, grads)
    return value

state = [model.state, optimizer.state]
fast = mx.compile(step, inputs=state, outputs=state)
for k in range(40):
    x = mx.random.normal((8, 4))
    value = (step if k < 20 else fast)(x, x[:, :2] * 2 + 1)
    mx.eval(model.state, optimizer.state, value)
    value.item()
"""


def files_of(kind: type[Inspector]) -> set[Path]:
    """Return the file of an inspector, and those of its parts: of classes in the same rooms that are no inspectors."""
    files: set[Path] = set()
    found = [Path(inspect.getfile(kind))]
    while found:
        file = found.pop()
        files.add(file)
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("mlxprobe.agent.inspectors"):
                part = AGENT.joinpath(*str(node.module).split(".")[2:]).with_suffix(".py")
                if any(alias.name.istitle() for alias in node.names):
                    found += [part] if part not in files | OWN else []
    return files


def emits(node: ast.AST) -> bool:
    """Tell whether a statement declares what an inspector emits."""
    return isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "emits"


def said(files: Iterable[Path]) -> tuple[set[str], set[str]]:
    """Return the names of the facts that some files make or hand on, and all texts in them."""
    nodes = [node for file in files for node in ast.walk(ast.parse(file.read_text()))]
    declared = {id(part) for node in nodes if emits(node) for part in ast.walk(node)}
    names = {node.id for node in nodes if isinstance(node, ast.Name) and id(node) not in declared}
    return names & FACTS.keys(), {str(node.value) for node in nodes if isinstance(node, ast.Constant)}


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.__name__)
def test_an_inspector_declares_the_facts_that_it_emits(kind: type[Inspector]) -> None:
    facts, texts = said(files_of(kind))
    declared = {*missing(kind, [kind])}
    others = {name[1:] for name in declared if name.startswith(".")}
    assert facts - WHY == {name for name in declared if not name.startswith(".")}
    assert others <= {*Sheet.__struct_fields__, *Step.__struct_fields__}
    assert ("sheet" in texts) is bool(others & {*Sheet.__struct_fields__}), "its fields of the sheet"
    assert kind.emits or any(kind.__name__ in other.builds_on for other in ALL), "nothing needs it"
    assert {*kind.builds_on} <= {other.__name__ for other in ALL}


def shared(kind: type[Inspector]) -> tuple[set[str], set[str]]:
    """Return what an inspector enters in the view of a step for others, and what it takes of it."""
    nodes = [node for file in files_of(kind) for node in ast.walk(ast.parse(file.read_text()))]
    named = [node for node in nodes if isinstance(node, ast.Attribute) and ast.unparse(node.value).endswith("view")]
    grown = {id(one.value) for one in nodes if isinstance(one, ast.Attribute) and one.attr in ("append", "update")}
    leaves = {one.attr for one in named if isinstance(one.ctx, ast.Store) or id(one) in grown}
    return leaves, {one.attr for one in named if isinstance(one.ctx, ast.Load) and id(one) not in grown}


def test_an_inspector_declares_the_others_whose_looks_it_builds_on() -> None:
    known = {kind: shared(kind) for kind in ALL}
    for kind, (_, takes) in known.items():
        givers = {one.__name__ for one, (leaves, _) in known.items() if one is not kind and leaves & takes}
        assert givers <= {*kind.builds_on}, kind
    assert known[Losses][0] >= {"fed", "targets", "compared"}
    assert set().union(*(leaves | takes for leaves, takes in known.values())) <= vars(StepView()).keys()


def failures(seen: Observation) -> dict[str, Sighting[DetectorFailed]]:
    return {fact.detector: at for fact, at in seen.every(DetectorFailed)}


def reading(names: Iterable[str]) -> set[str]:
    return {code for code, rule in RULES.items() if not reads(rule).isdisjoint(names)}


def broken(kinds: str, hooks: str, folder: Path) -> Observation:
    (folder / "train.py").write_text(BREAKS)
    program = Program(name="train", argv=("script", str(folder / "train.py"), kinds, hooks), python=sys.executable)
    limits = Limits(stall_s=20.0, startup_s=GUARD_S, timeout_s=GUARD_S, memory_bytes=4_000_000_000)
    seen = observe(program, limits, jit_key="tests")
    assert seen.exit_code == 0, seen.output_tail
    return seen


@pytest.mark.slow
@pytest.mark.parametrize("hook", HOOKS)
def test_what_each_inspector_that_fails_would_have_seen_is_not_checked(hook: str, tmp_path: Path) -> None:
    """Break the same hook of all inspectors in one run: each reports itself, and counts alone for the rules."""
    seen = broken("ALL", hook, tmp_path)
    failed = failures(seen)
    assert failed.keys() == {kind.__name__ for kind in ALL}
    for kind in ALL:
        others = [one for name, one in failed.items() if name != kind.__name__]
        alone = msgspec.structs.replace(seen, sightings=tuple(one for one in seen.sightings if one not in others))
        row = judged(alone)
        codes = reading(missing(kind, [kind]))
        assert codes or not kind.emits, kind
        told = {one.code: one.why for one in unchecked(alone)}
        assert {told[code] for code in codes} <= {"the inspector failed: KeyError: 'ours'"}
        report = " ".join(diagnosis.told(row).split())
        assert f"part of mlxprobe failed ({kind.__name__}: KeyError: 'ours')" in report and "healthy:" not in report
        assert "not checked:" in report


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["ByHand", "Makeup", "Operations", "Heard"])
def test_one_inspector_that_fails_is_in_the_report_of_its_run(kind: str, tmp_path: Path) -> None:
    row = judged(broken(kind, ",".join(HOOKS), tmp_path))
    assert row.findings == ()
    report = " ".join(diagnosis.told(row).split())
    assert f"part of mlxprobe failed ({kind}: KeyError: 'ours')" in report and "healthy:" not in report
    assert "the inspector failed: KeyError: 'ours'" in report


@pytest.mark.parametrize("kind", ["Losses", "agent"])
def test_a_part_that_fails_is_reported_and_the_program_is_not_called_healthy(kind: str) -> None:
    lost = (LossGraphSeen.__name__,) if kind == "Losses" else ()
    failed = Sighting(fact=DetectorFailed(detector=kind, error="KeyError: 'ours'", facts=lost))
    report = diagnosis.told(judged(healthy(sightings=(failed,))), 200)
    assert f"no finding; part of mlxprobe failed ({kind}: KeyError: 'ours')" in report
    assert "healthy: no finding" in diagnosis.told(judged(healthy()))


def test_a_hook_that_fails_for_collectives_leaves_the_rules_of_ranks_unchecked() -> None:
    failed = Sighting(fact=DetectorFailed(detector="Collectives", error="E", facts=(".collectives",)))
    codes = {one.code for one in unchecked(healthy(sightings=(failed,)))}
    assert codes >= {"MP701", "MP702", "MP703", "MP705", "MP706", "MP707", "MP708"} and "MP101" not in codes


class Unmade(Inspector):
    """Fail when it is made."""

    emits = (LossGraphSeen,)

    def __init__(self, inspection: Inspection) -> None:
        raise KeyError("ours")


def test_an_inspector_that_cannot_be_made_is_reported_and_the_others_work() -> None:
    told: list[dict[str, object]] = []
    recorder = Recorder(Channel(os.open(os.devnull, os.O_WRONLY)))
    recorder.channel.send = lambda event, **values: bool(told.append(values))  # type: ignore[method-assign, func-returns-value]
    inspection = Inspection(recorder, (Unmade, Losses))
    assert [(values["type"], values["fields"]) for values in told] == [
        ("DetectorFailed", {"detector": "Unmade", "error": "KeyError: 'ours'", "facts": ("LossGraphSeen",)})
    ]
    assert [type(one) for one in inspection._inspectors] == [Losses]


@pytest.mark.slow
def test_a_model_that_refuses_other_rows_is_not_checked_and_why(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(REFUSES)
    program = Program(name="train", argv=("script", str(tmp_path / "train.py")), python=sys.executable)
    limits = Limits(stall_s=8.0, startup_s=GUARD_S, timeout_s=GUARD_S, memory_bytes=4_000_000_000)
    seen = observe(program, limits, jit_key="tests")
    told = {one.code: one.why for one in unchecked(seen)}
    assert told["MP312"].endswith("could not be called again with other rows (ValueError: two rows alike)")


FUNCTIONS = """
import mlx.core as mx, mlx.nn as nn

counted = {{"ids": 0}}

def loss_fn(p, ids):
    {count}
    z = (p["table"][ids[:, :-1]].mean(1, keepdims=True) + p["table"][ids[:, :-1]]) @ p["table"].T
    {loss}

mx.random.seed(1)
p = {{"table": 0.3 * mx.random.normal((11, 8))}}
gradients = {made}
for _ in range(40):
    loss, grads = gradients(p, mx.random.randint(0, 11, (6, 9)))
    p = {{"table": p["table"] - 0.1 * grads["table"]}}
    mx.eval(p, loss)
"""
COUNTS = 'counted["ids"] += ids.size'
PICKED = "return nn.losses.cross_entropy(z, ids[:, 1:]).mean()"
ONE_HOT = "return (mx.logsumexp(z, axis=-1) - (z * mx.eye(11)[ids[:, 1:]]).sum(-1)).mean()"
PLAIN = "mx.value_and_grad(loss_fn)"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("count", "loss", "made", "why"),
    [
        (COUNTS, PICKED, PLAIN, "a second call could show: the loss writes counted['ids'] at train.py:7"),
        (COUNTS, PICKED, f"mx.compile({PLAIN})", "could not look inside the compiled function of train.py:13"),
        ("pass", ONE_HOT, PLAIN, "no ids were seen"),
        ("pass", PICKED, PLAIN, ""),
    ],
)
def test_a_loss_of_plain_functions_that_is_not_called_anew_is_told(
    count: str, loss: str, made: str, why: str, tmp_path: Path
) -> None:
    (tmp_path / "train.py").write_text(FUNCTIONS.format(count=count, loss=loss, made=made))
    program = Program(name="train", argv=("script", str(tmp_path / "train.py")), python=sys.executable)
    limits = Limits(stall_s=8.0, startup_s=GUARD_S, timeout_s=GUARD_S, memory_bytes=4_000_000_000)
    seen = observe(program, limits, jit_key="tests")
    told = {one.code: one.why for one in unchecked(seen)}
    assert told.get("MP307", "").startswith(why) and ("MP307" in told) == bool(why)
