"""A training as a script straight down, with what this one needs and nothing else. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mlxprobe.fuzz.case import Case

HEAD = "import mlx.core as mx, mlx.nn as nn, mlx.optimizers as optim, mlx.utils"
LAYERS = {"linear": "nn.Linear({0}, {0})", "norm": "nn.LayerNorm({0})", "rms": "nn.RMSNorm({0})"}
LAYERS |= {"tanh": "nn.Tanh()", "gelu": "nn.GELU()"}
LOSS = "lambda x, y: mx.mean(mx.square(model(x)[..., 0] - y).astype(mx.float32))"
FILL = "mx.array([(0.618034 * k + 0.137 * len(name)) % 1 - 0.37 for k in range(p.size)]).reshape(p.shape)"
STATE = "mx.eval(model.state, optimizer.state)"


def training(case: Case, arrays: Sequence[str], message: str) -> str:
    """Return the script of a short training of `inside.modules`.

    Args:
        case: what is run; its first arrays are the inputs and what is wanted.
        arrays: their texts.
        message: what is wrong with it.
    """
    (step,) = case.steps[:1]
    lines = WAYS[step.function.partition(".")[2]](_parts(case, step.keywords))
    return "\n".join([HEAD, f"x, y = {', '.join(arrays)}", *lines, f"# {message}"]) + "\n"


def _parts(case: Case, how: dict[str, Any]) -> dict[str, str]:
    """Return the lines that all ways share: the model, its optimizer, an update."""
    inputs = case.arrays[0]
    layers = [LAYERS[name].format(inputs.shape[-1]) for name in how.get("layers", ())]
    fill = FILL + f".astype(mx.{inputs.dtype})" * (inputs.dtype != "float32")
    named = ", ".join(f"{name}={_rate(value)}" for name, value in how.get("named", {}).items())
    grads = "optim.clip_grad_norm(grads, max_norm=1.0)[0]" if how.get("clips") else "grads"
    return {
        "model": f"model = nn.Sequential({', '.join([*layers, f'nn.Linear({inputs.shape[-1]}, 1)'])})",
        "fill": f"model.update(mlx.utils.tree_map_with_path(lambda name, p: {fill}, model.parameters()))",
        "optimizer": f"optim.{how['optimizer']}({named})",
        "gradients": f"loss, grads = nn.value_and_grad(model, {LOSS})(x, y)",
        "update": f"optimizer.update(model, {grads})",
    }


def _rate(value: Any) -> str:
    if not isinstance(value, list):
        return repr(value)
    rate = value[0]
    return f"optim.join_schedules([optim.linear_schedule(0.0, {rate}, 2), optim.cosine_decay({rate}, 6)], [2])"


def _in(*lines: str) -> list[str]:
    return [f"    {line}" for line in lines]


def _plain(part: dict[str, str]) -> list[str]:
    turn = [part["gradients"], part["update"], STATE, "print(loss.item())"]
    return [part["model"], part["fill"], f"optimizer = {part['optimizer']}", "for _ in range(6):", *_in(*turn)]


def _compiled(part: dict[str, str]) -> list[str]:
    """Print the losses of a plain step, and those of a compiled one."""
    captured = "mx.compile(step, inputs=state, outputs=state) if compiled else step"
    lines = [part["model"], part["fill"], f"optimizer = {part['optimizer']}", "state = [model.state, optimizer.state]"]
    lines += ["def step():", *_in(part["gradients"], part["update"], "return loss"), f"fast = {captured}"]
    lines += ["return [mx.eval(loss := fast(), state) or loss.item() for _ in range(6)]"]
    return ["def run(compiled):", *_in(*lines), "print(run(False), run(True))"]


def _accumulated(part: dict[str, str]) -> list[str]:
    """Print the losses of whole batches, and those of two halves each."""
    halves = "zip(mx.split(x, parts), mx.split(y, parts))"
    turn = [f"each = [nn.value_and_grad(model, {LOSS})(*some) for some in {halves}]"]
    turn += ["grads = mlx.utils.tree_map(lambda *all: sum(all) / parts, *(one for _, one in each))"]
    turn += [part["update"], STATE, "print(parts, (sum(loss for loss, _ in each) / parts).item())"]
    lines = [part["model"], part["fill"], f"optimizer = {part['optimizer']}", "for _ in range(6):", *_in(*turn)]
    return ["for parts in (1, 2):", *_in(*lines)]


def _resumed(part: dict[str, str]) -> list[str]:
    """Print the losses of an uninterrupted training, and those of one that goes on from a file in its middle."""
    held = "dict(mlx.utils.tree_flatten([model.parameters(), optimizer.state]))"
    stop = [f'mx.save_safetensors("held.safetensors", {held})', "model, optimizer = made()"]
    stop += ['parameters, optimizer.state = mlx.utils.tree_unflatten([*mx.load("held.safetensors").items()])']
    stop += ["model.update(parameters)"]
    turn = ["if resumed and number == 3:", *_in(*stop), part["gradients"], part["update"]]
    turn += [STATE, "print(resumed, loss.item())"]
    return [
        *("def made():", *_in(part["model"], part["fill"], f"return model, {part['optimizer']}")),
        *("for resumed in (False, True):", *_in("model, optimizer = made()", "for number in range(6):", *_in(*turn))),
    ]


WAYS = {"plain": _plain, "compiled": _compiled, "accumulated": _accumulated, "resumed": _resumed}


def program(text: str, message: str) -> str:
    """Return a program without its docstring and what it brings and does not use; told is what is wrong with it."""
    lines = [line for line in text.splitlines()[1:] if line.strip()]
    body = [line for line in lines if not line.startswith(("import ", "from "))]
    folder = "FOLDER = tempfile.TemporaryDirectory()"
    body = body if any("{FOLDER" in line for line in body) else [line for line in body if line != folder]
    needed = [f"import {name}" for name in ("copy", "os", "tempfile") if any(f"{name}." in line for line in body)]
    needed += ["from functools import partial"] * any("partial(" in line for line in body)
    trees = [name for name in ("tree_flatten", "tree_map", "tree_unflatten") if any(name in line for line in body)]
    needed += [HEAD.rpartition(",")[0]] + [f"from mlx.utils import {', '.join(trees)}"] * bool(trees)
    return "\n".join([f"# {message}", *needed, *body]) + "\n"
