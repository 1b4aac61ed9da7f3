"""Every wrapper hands on what it is given, whatever a release of MLX adds, and reads arguments by their names."""

from __future__ import annotations

import ast
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mlx.core as mx
import mlx.nn as nn
import pytest
from running import report_of, run, watch

from mlxprobe import agent
from mlxprobe.agent.patching.bound_arguments import Given
from mlxprobe.agent.patching.signatures import like, listed, parameters

AGENT = Path(next(iter(agent.__path__)))
PROGRAMS = Path(__file__).parents[1] / "programs"
PROTOCOL = {  # called by Python itself, with this many arguments
    "operator", "__getitem__", "minus", "write", "hook", "state", "given", "code", "read", "start", "<lambda>",
}  # fmt: skip
WRAPPED = {"original", "call", "schedule"}


def wrappers() -> Iterator[tuple[str, str, ast.arguments]]:
    """List the functions that call the one that they are made around."""
    for file in sorted(AGENT.rglob("*.py")):
        for outer in ast.walk(ast.parse(file.read_text())):
            taken = {one.arg for one in outer.args.args} if isinstance(outer, ast.FunctionDef) else set()
            inner = [one for one in ast.walk(outer) if isinstance(one, (ast.FunctionDef, ast.Lambda))]
            for one in [one for one in inner if one is not outer] if taken & WRAPPED else []:
                calls = [part for part in ast.walk(one) if isinstance(part, ast.Call)]
                if any(isinstance(part.func, ast.Name) and part.func.id in taken & WRAPPED for part in calls):
                    yield f"{file.relative_to(AGENT)}:{one.lineno}", getattr(one, "name", "<lambda>"), one.args


def test_every_wrapper_takes_whatever_it_is_given() -> None:
    found = list(wrappers())
    assert len(found) > 40
    assert [place for place, name, taken in found if name not in PROTOCOL and not (taken.vararg and taken.kwarg)] == []


@pytest.mark.slow
def test_a_new_parameter_and_any_order_of_names_reach_what_is_wrapped(tmp_path: Path) -> None:
    ran = run([sys.executable, str(PROGRAMS / "shims.py")], tmp_path, PYTHONPATH=str(AGENT.parents[1]))
    wrapped, *problems = ran.out.splitlines()
    assert (problems, ran.code) == ([], 0), ran.err
    assert len(wrapped.split()) > 90 and {"mlx.core.compile", "Module.update", "array.item"} <= {*wrapped.split()}


def test_arguments_are_read_by_the_names_of_the_wrapped_function() -> None:
    def before(weights: Any, logits: Any, targets: Any, *, axis: int = -1) -> None: ...

    @like(before)
    def wrapper(*args: Any, **kwargs: Any) -> None: ...

    given = Given(wrapper, "logits", "targets", "axis")
    assert given((0, 1, 2), {"axis": 3}) == given((0,), {"axis": 3, "targets": 2, "logits": 1}) == [1, 2, 3]
    assert given((0, 1), {}) == [1, None, None] and given.named((0, 1), {}) == {"logits": 1}
    assert given.put((0, 1), {"targets": 2}, 5, 6, 7) == ((0, 5), {"targets": 6, "axis": 7})


@pytest.mark.parametrize(
    ("function", "names"),
    [
        (mx.take_along_axis, ["a", "indices", "axis", "stream"]),
        (mx.array.reshape, ["self", "shape", "stream"]),
        (nn.losses.cross_entropy, ["logits", "targets", "weights", "axis", "label_smoothing", "reduction"]),
        (nn.Linear.__call__, ["self", "x"]),
        (nn.Linear(2, 2), ["x"]),
        (os.execve, ["path", "argv", "env"]),
        (nn.relu, []),
    ],
)
def test_parameters_are_named(function: Any, names: list[str]) -> None:
    assert parameters(function) == names


def test_a_signature_may_have_types_of_any_kind() -> None:
    assert listed("def f(a: Callable[[int, int], dict[str, int]], /, *, b: tuple = (1, 2), **rest) -> None") == [
        "a", "b", "rest",
    ]  # fmt: skip


LOSSES = {"cross_entropy": ("logits", "targets"), "binary_cross_entropy": ("inputs", "targets")}
FAULTY = [
    one
    for one in sorted((PROGRAMS / "faulty").glob("*.py"))
    if any(f"nn.losses.{name}(" in one.read_text() for name in LOSSES) and one.name.startswith(("mp308", "mp307"))
]

OF_TARGETS = [one for one in FAULTY if one.stem in ("mp308_all_are_real", "mp308_positives_alone")]  # by their values


class Turned(ast.NodeTransformer):
    """Give losses their arguments by name, the targets first."""

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        names = LOSSES.get(ast.unparse(node.func).removeprefix("nn.losses."), ())
        if names and len(node.args) == len(names):
            named = [ast.keyword(name, one) for name, one in zip(names, node.args, strict=True)]
            node.args, node.keywords = [], [*named[::-1], *node.keywords]
        return node


def found(row: dict[str, Any]) -> list[str]:
    return sorted(one["code"] for one in row["findings"])


@pytest.mark.slow
@pytest.mark.parametrize("file", sorted({*FAULTY[::5], *OF_TARGETS}), ids=lambda file: file.stem)
def test_the_order_of_names_changes_no_finding(file: Path, tmp_path: Path) -> None:
    plain = ast.parse(file.read_text())
    (tmp_path / "plain.py").write_text(ast.unparse(plain))
    (tmp_path / "turned.py").write_text(ast.unparse(ast.fix_missing_locations(Turned().visit(plain))))
    assert (tmp_path / "turned.py").read_text() != (tmp_path / "plain.py").read_text()
    rows = [report_of(tmp_path, f"{name}.py")[1] for name in ("plain", "turned")]
    assert found(rows[0]) == found(rows[1]) != []


UNBOUND = """
import copy, enum, os, pickle, sys
import mlx.core as mx, mlx.nn as nn

class Model(nn.Module):
    act, exp, grad, twice = nn.relu, mx.exp, mx.value_and_grad(mx.sin), mx.compile(lambda x: 2 * x)

class Kind(enum.Enum):
    EXP = mx.exp

model, x = Model(), mx.array(1.0)
print(model.act(x).item(), model.exp(x).item(), model.grad(x)[0].item(), model.twice(x).item(), list(Kind)[0].name)
print(pickle.loads(pickle.dumps(os._exit)) is os._exit, pickle.loads(pickle.dumps(sys.exit)) is sys.exit)
print([pickle.loads(pickle.dumps(one)) is one for one in (os.putenv, os.unsetenv, os.execve, os.posix_spawn)])
for function in (mx.exp, nn.relu):
    try:
        copy.deepcopy(function)
    except TypeError as error:
        print(error)
print(mx.exp.__name__, mx.exp.__module__, mx.exp.__doc__[:20], nn.relu.__name__, callable(mx.exp))
def variables(a, b):
    given = locals()
    for k in range(6):
        loss, grads = nn.value_and_grad(line, lambda x: line(x).sum())(mx.ones((2, 2)))
        mx.eval(loss, grads)
    return sorted(given)
line = nn.Linear(2, 2)
print(variables(1, 2))
"""


@pytest.mark.slow
def test_what_mlx_has_is_used_in_classes_pickled_and_copied_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(UNBOUND)
    bare, ours = run([sys.executable, "train.py"], tmp_path), watch(tmp_path, "train.py")
    assert (ours.out, ours.code) == (bare.out, bare.code) and bare.code == 0, ours.err


COMPILER = """#!/bin/sh
echo "$@" >> compiled
exec /usr/bin/g++ "$@"
"""
ACTIVATED = """
import mlx.core as mx, mlx.nn as nn, mlx.optimizers as optim
model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 1))
opt = optim.Adam(learning_rate=1e-2)
x = mx.random.normal((16, 4))
gradients = nn.value_and_grad(model, lambda m: ((m(x) - x.sum(1, keepdims=True)) ** 2).mean())
for _ in range(20):
    loss, grads = gradients(model)
    opt.update(model, grads)
    mx.eval(model.parameters(), opt.state, loss)
    loss.item()
"""


@pytest.mark.slow
@pytest.mark.skipif(not os.path.exists("/usr/bin/g++"), reason="MLX compiles kernels with it")
def test_no_kernel_is_compiled_that_the_program_would_not_compile(tmp_path: Path) -> None:
    (tmp_path / "g++").write_text(COMPILER)
    (tmp_path / "g++").chmod(0o755)
    (tmp_path / "train.py").write_text(ACTIVATED)
    counts = []
    for name, words in (("bare", []), ("ours", ["-m", "mlxprobe", "watch"])):
        (tmp_path / name).mkdir()
        path = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "TMPDIR": str(tmp_path / name)}
        run([sys.executable, *words, "train.py"], tmp_path, **path)
        counts.append(len((tmp_path / "compiled").read_text().splitlines()))
    assert counts[1] == 2 * counts[0] > 0
