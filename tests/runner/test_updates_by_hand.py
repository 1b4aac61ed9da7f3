"""Updates that no optimizer of MLX makes are counted, and what cannot be followed is never called healthy."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from running import watch

pytestmark = pytest.mark.slow

MODEL = """
import mlx.core as mx, mlx.nn as nn, mlx.optimizers as optim
from functools import partial
from mlx.utils import tree_map
mx.random.seed(0)
x = mx.random.normal((64, 5))
y = x @ mx.random.normal((5, 1))
model = nn.Sequential(nn.Linear(5, 8), nn.Tanh(), nn.Linear(8, 1))
mx.eval(x, y, model.parameters())
of_model = nn.value_and_grad(model, lambda model, x, y: ((model(x) - y) ** 2).mean())
def descend(tree, grads, rate=0.05): return tree_map(lambda p, g: p - rate * g, tree, grads)
def descend_model(grads): model.update(descend(model.trainable_parameters(), grads))
"""
TREE = """
def loss_fn(p, x, y): return ((mx.tanh(x @ p["a"]) @ p["b"] - y) ** 2).mean()
p = {"a": 0.3 * mx.random.normal((5, 8)), "b": 0.3 * mx.random.normal((8, 1))}
mx.eval(p)
of_tree = mx.value_and_grad(loss_fn)
"""
ADAM = """
m, v = tree_map(mx.zeros_like, p), tree_map(mx.zeros_like, p)
for t in range(1, 41):
    loss, g = of_tree(p, x, y)
    m, v = tree_map(lambda m, g: .9 * m + .1 * g, m, g), tree_map(lambda v, g: .99 * v + .01 * g * g, v, g)
    p = tree_map(lambda p, m, v: p - .01 * m / (1 - .9**t) / (mx.sqrt(v / (1 - .99**t)) + 1e-8), p, m, v)
    mx.eval(loss, p, m, v)
"""
SCALARS = """
w, b = mx.array(0.0), mx.array(0.0)
slopes = mx.value_and_grad(lambda w, b: ((w * x[:, 0] + b - 3 * x[:, 0] - 1) ** 2).mean(), argnums=(0, 1))
for _ in range(40):
    loss, (dw, db) = slopes(w, b)
    w, b = w - 0.1 * dw, b - 0.1 * db
    mx.eval(w, b)
"""
MICRO = """
for _ in range(10):
    total = None
    for k in range(0, 64, 16):
        loss, grads = {call}
        total = grads if total is None else tree_map(mx.add, total, grads)
        mx.eval(total, loss)
    descend_model(total)
    mx.eval(loss, model.parameters())
"""
OF_PARAMETERS = """
def loss_of(parameters, x, y):
    model.update(parameters)
    return ((model(x) - y) ** 2).mean()
filled = mx.value_and_grad(loss_of)
"""
SHARPNESS = """
opt = optim.SGD(0.05)
for _ in range(40):
    loss, grads = of_model(model, x, y)
    kept = model.trainable_parameters()
    model.update(descend(kept, grads, -0.01))
    _, grads = of_model(model, x, y)
    model.update(kept)
    opt.update(model, grads)
    mx.eval(loss, model.parameters(), opt.state)
"""


def loop(*lines: str, before: str = "") -> str:
    return "\n".join([before, "for _ in range(40):", *(f"    {line}" for line in lines), ""])


CALL, CALL_TREE = "loss, grads = of_model(model, x, y)", "loss, g = of_tree(p, x, y)"
END, END_TREE = "mx.eval(loss, model.parameters())", "mx.eval(loss, p)"
EACH = "for layer, g in zip(model.layers, grads['layers']):\n        if g: {}"
SEVERAL = """
def train(steps):
    model, optimizer = nn.Linear(5, 1), optim.SGD(0.1)
    step = nn.value_and_grad(model, lambda model, x, y: ((model(x) - y) ** 2).mean())
    for _ in range(steps):
        loss, g = step(model, x, y)
        optimizer.update(model, g)
        mx.eval(model.parameters(), loss)
    return model
models = [train(1) for _ in range(5)] + [train(40)]
"""
PROGRAMS = {  # by name: the program, its updates by MLX's optimizers and by hand, and what else is known of updates
    "model.update": (loop(CALL, "descend_model(grads)", END), 0, 40, ""),
    "a subclass with an update of its own": (
        loop(CALL, "opt.update(model, grads)", END, before="class Own(optim.Optimizer):\n"
             "    def update(self, model, grads): descend_model(grads)\nopt = Own()"), 0, 40, ""),
    "a subclass with an apply_gradients of its own": (
        loop(CALL, "model.update(opt.apply_gradients(grads, model.trainable_parameters()))", END,
             before="class Own(optim.Optimizer):\n"
             "    def apply_gradients(self, grads, tree): return descend(tree, grads)\nopt = Own()"), 0, 40, ""),
    "a subclass with an apply_single of its own": (
        loop(CALL, "opt.update(model, grads)", END, before="class Own(optim.Optimizer):\n"
             "    def init_single(self, p, state): pass\n"
             "    def apply_single(self, g, p, state): return p - 0.05 * g\nopt = Own()"), 40, 0, ""),
    "attributes": (loop(CALL, EACH.format("layer.weight = layer.weight - 0.05 * g['weight']"), END), 0, 40, ""),
    "attributes in place": (loop(CALL, EACH.format("layer.weight -= 0.05 * g['weight']"), END), 0, 0, "in place"),
    "the last layer alone": (
        loop(CALL, "last = model.layers[2]", "last.weight = last.weight - 0.05 * grads['layers'][2]['weight']", END),
        0, 40, ""),
    "a tree": (TREE + loop(CALL_TREE, "p = descend(p, g)", END_TREE), 0, 40, ""),
    "a tree, mx.grad alone": (
        TREE + loop("g = of(p, x, y)", "p = descend(p, g)", "mx.eval(p)", before="of = mx.grad(loss_fn)"), 0, 40, ""),
    "a tree, the function made again": (
        TREE + loop("loss, g = mx.value_and_grad(loss_fn)(p, x, y)", "p = descend(p, g)", END_TREE), 0, 40, ""),
    "a tree in place": (TREE + loop(CALL_TREE, "for k in p: p[k] -= 0.05 * g[k]", END_TREE), 0, 0, "in place"),
    "a tree, items": (TREE + loop(CALL_TREE, "for k in p: p[k][:] = p[k] - 0.05 * g[k]", END_TREE), 0, 0, "in place"),
    "a tree in place, the loss read": (
        TREE + loop(CALL_TREE, "for k in p: p[k] -= 0.05 * g[k]", "loss.item()"), 0, 0, "in place"),
    "a tree, the loss read": (TREE + loop(CALL_TREE, "p = descend(p, g)", "loss.item()"), 0, 40, ""),
    "models of one step each": (MODEL + SEVERAL, 45, 0, ""),
    "Adam by hand": (TREE + ADAM, 0, 40, ""),
    "scalars": (SCALARS, 0, 40, ""),
    "micro-batches": (MICRO.format(call="of_model(model, x[k : k + 16], y[k : k + 16])"), 0, 10, ""),
    "micro-batches of a function that fills the model": (
        OF_PARAMETERS + MICRO.format(call="filled(model.trainable_parameters(), x[k : k + 16], y[k : k + 16])"),
        0, 10, ""),
    "a model as an argument": (
        loop("loss, grads = of(model, x, y)", "descend_model(grads)", END,
             before="of = mx.value_and_grad(lambda m, x, y: ((m(x) - y) ** 2).mean())"), 0, 40, ""),
    "a compiled pure step": (
        TREE + loop("loss, p = step(p, x, y)", END_TREE, before="@mx.compile\ndef step(p, x, y):\n"
                    "    loss, g = of_tree(p, x, y)\n    return loss, descend(p, g)"), 0, 40, ""),
    "a compiled step that updates a model": (
        loop("loss = step(x, y)", END, before="@partial(mx.compile, inputs=model.state, outputs=model.state)\n"
             "def step(x, y):\n    loss, grads = of_model(model, x, y)\n    descend_model(grads)\n    return loss"),
        0, 40, ""),
    "compiled gradients of a model": (
        loop("loss, grads = step(x, y)", "descend_model(grads)", END,
             before="@partial(mx.compile, inputs=model.state, outputs=model.state)\n"
             "def step(x, y): return of_model(model, x, y)"), 0, 40, ""),
    "an optimizer, and weights that are moved for a second gradient": (SHARPNESS, 40, 0, ""),
    "compiled gradients of arguments": (
        TREE + loop("loss, g = step(p, x, y)", "p = descend(p, g)", END_TREE, before="step = mx.compile(of_tree)"),
        0, 0, "not checked"),
    "gradients of inputs": (
        loop("mx.eval(of(mx.random.normal((16, 5))))", before="of = mx.grad(lambda x: (model(x) ** 2).mean())"),
        0, 0, "not checked"),
    "gradients of squares": (
        loop("b = mx.random.normal((1, 1)) + 0.1 * mx.random.normal((8, 8))", "mx.eval(of(b))",
             before="of = mx.grad(lambda x: (x ** 2).mean())"), 0, 0, "not checked"),
    "one gradient": ("loss, grads = of_model(model, x, y)\nmx.eval(loss, grads)", 0, 0, "not checked"),
}  # fmt: skip
DRIVER = """
import subprocess, sys
from pathlib import Path
for file in sorted(Path(sys.argv[1]).glob("program*.py")):
    subprocess.run([sys.executable, file], check=True)
"""


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """Watch every program, each a process of one command."""
    folder = tmp_path_factory.mktemp("by_hand")
    (folder / "driver.py").write_text(DRIVER)
    for k, (source, *_) in enumerate(PROGRAMS.values()):
        (folder / f"program{k:02}.py").write_text(MODEL + source)
    words = ["--format", "json", "--output", "report.json", "--", sys.executable, "driver.py", str(folder)]
    ran = watch(folder, *words)
    found = json.loads((folder / "report.json").read_text())["programs"]
    assert len(found) == len(PROGRAMS), ran.err
    files = {Path(row["process"]["command"][1]).stem: row for row in found}
    return {name: files[f"program{k:02}"] for k, name in enumerate(PROGRAMS)}


@pytest.mark.parametrize("name", PROGRAMS)
def test_updates_are_counted_or_said_not_to_be_followed(name: str, rows: dict[str, dict[str, Any]]) -> None:
    (_, by_optimizer, by_hand, known), row = PROGRAMS[name], rows[name]
    sheet = row["sheet"]
    assert (sheet.get("updates", 0), sheet.get("by_hand", 0)) == (by_optimizer + by_hand, by_hand)
    assert sheet.get("uncounted", False) == (known == "in place")
    assert [one["name"] for one in row.get("remarks", ())] == (["no update"] if known == "not checked" else [])
    assert [one for one in row["findings"] if one["severity"] != "note"] == []


def test_what_is_not_followed_is_never_healthy(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(MODEL + PROGRAMS["gradients of inputs"][0])
    ran = watch(tmp_path, "train.py")
    said = " ".join(ran.err.split())
    assert ran.code == 0
    assert "healthy" not in said
    assert "no finding; not checked: whether parameters are updated (no update was seen in 40 gradient calls" in said
    assert "updates none seen, 40 gradient calls" in said
