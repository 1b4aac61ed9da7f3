"""A case's calls as text, and the functions that they need. Pure."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mlxprobe.fuzz.case import Case, Step
from mlxprobe.fuzz.training_programs.render import keywords

CHILD = Path(__file__).parent / "child"
WORDS = ("array", "result", "pieces", "slice", "whole", "dtype")
LOSSES = ("_loss", "cross_entropy")
LIBRARIES = [  # of two programs that are run and compared
    "from __future__ import annotations",
    "import contextlib, io",
    "import mlx.core as mx, mlx.nn as nn",
    "from mlx.utils import tree_flatten",
]


def program(case: Case, message: str) -> str:
    """Return a script that runs both texts of a program, which must learn the same however it looks, and compares."""
    lines = [f"# {message}", *LIBRARIES, "", *_parts(("_program", "_off", "_learned"))]
    for name, text in keywords(case.steps[0]).items():
        told = f"'''\n{text}'''" if "'''" not in text and "\\" not in text else repr(text)
        lines += ["", f"{name.upper()} = {told}"]
    return (
        "\n".join(
            [*lines, "", f"print(_program({', '.join(f'{name}={name.upper()}' for name in ('source', 'other'))}))"]
        )
        + "\n"
    )


def texts(case: Case) -> list[str]:
    """Return the forms of the program of a case."""
    return list(keywords(case.steps[0]).values())


def _parts(names: Sequence[str]) -> list[str]:
    """Return the text of what trainings are made of, and of what they call."""
    text = (CHILD / "modules.py").read_text("utf-8")
    nodes = (node for node in ast.parse(text).body if isinstance(node, ast.FunctionDef | ast.ClassDef))
    found = {node.name: ast.get_source_segment(text, node) or "" for node in nodes}
    return [line for name in names for line in [*found[name].splitlines(), "", ""]][:-2]


def imports(case: Case) -> list[str]:
    """Import what is called."""
    rooms = {step.function.partition(".")[0] for step in case.steps}
    lines = ["import mlx.core as mx"] + ["import mlx.nn as nn"] * bool({"nn", "init"} & rooms)
    lines += ["import mlx.optimizers as optim"] * ("optimizers" in rooms)
    lines += ["from mlx.utils import tree_map_with_path"] * any(map(_is_layer, case.steps))
    lines += [f"import {name}" for name in ("io", "tempfile") if f"{name}." in "\n".join(_known_results(case))]
    return lines


def defined(case: Case) -> list[str]:
    """Return the functions that the calls need."""
    return [*_filling(case), *_known_results(case)]


def _known_results(case: Case) -> list[str]:
    return [line for step in case.steps if step.function in KNOWN_RESULTS for line in KNOWN_RESULTS[step.function][1]]


def _read_known_results() -> dict[str, tuple[str, list[str]]]:
    """Read the name and the text of each function of `child/known_results.py`, by the function of MLX."""
    nodes = ast.parse((CHILD / "known_results.py").read_text("utf-8")).body
    functions = {node.name: _without_types(node) for node in nodes if isinstance(node, ast.FunctionDef)}
    table = next(node.value for node in nodes if isinstance(node, ast.AnnAssign))
    assert isinstance(table, ast.Dict)
    found = {}
    for key, value in zip(table.keys, table.values, strict=True):
        assert isinstance(key, ast.Constant)
        name, text = str(key.value), ast.unparse(value)
        if text in functions:
            found[name] = text, functions[text]
        else:
            needed = [line for one, lines in functions.items() if f"{one}(" in text for line in lines]
            own = name.replace(".", "_")
            found[name] = own, [*needed, f"{own} = {text}"]
    return found


def _without_types(function: ast.FunctionDef) -> list[str]:
    for argument in (*function.args.args, function.args.vararg, function.args.kwarg):
        if argument is not None:
            argument.annotation = None
    function.returns = None
    return ast.unparse(function).splitlines()


def _is_layer(step: Step) -> bool:
    return "made" in step.keywords and step.function.startswith("nn.")


def _filling(case: Case) -> list[str]:
    """Return the function that fills a layer's parameters with the numbers of the case."""
    if not any(map(_is_layer, case.steps)):
        return []
    packed = [
        "    if p.dtype == mx.uint32:",
        "        return (mx.arange(p.size, dtype=mx.uint32) * 2654435761).reshape(p.shape)",
    ]
    names_of = " ".join(step.function for step in case.steps)
    low = '+ (0.4 if name.endswith("running_var") else -0.37)' if "BatchNorm" in names_of else "- 0.37"
    values = f"[(0.618034 * k + 0.137 * len(name)) % 1 {low} for k in range(p.size)]"
    return [
        "def fill(name, p, by):",
        *(packed if "Quantized" in names_of else []),
        f"    return mx.array({values}).reshape(p.shape).astype(by.dtype) * by",
    ]


def body(case: Case, names: str) -> list[str]:
    """Return the lines of a function that makes the calls."""
    lines = _lines(case.steps[0], names)
    for step in case.steps[1:]:
        inner = step.arguments == ({"result": 0},) and not step.keywords
        lines = [*lines[:-1], f"x = mx.{step.function}({lines[-1][4:]})"] if inner else [*lines, *_lines(step, names)]
    return [*lines[:-1], f"return {lines[-1][4:]}"]


def _lines(step: Step, names: str) -> list[str]:
    """Return the lines of one call, the last of which gives x."""
    words, named = [_word(one, names) for one in step.arguments], dict(step.keywords)
    if _is_layer(step):
        made = _told(named.pop("made"), named.pop("named", None) or {})
        mode = f".train({not named.pop('evaluates', True)})"
        *inputs, factor = words
        return [
            f"layer = {step.function}({made})",
            f"layer.update(tree_map_with_path(lambda name, p: fill(name, p, {factor}), layer.parameters()))",
            f"x = layer{mode}({', '.join([*inputs, *_named(named, names)])})",
        ]
    if step.function in KNOWN_RESULTS:
        return [f"x = {_call(step, names)}"]
    if step.function.startswith("optimizers.") and "made" in named:
        return [f"x = {_room(step.function)}({_told(named['made'], {})})({words[0]})"]
    if step.function.startswith("optimizers."):
        return [
            f"optimizer, now = {_room(step.function)}({_told([], named['named'])}), {{'w': {words[0]}}}",
            f"for gradient in [{', '.join(words[1:])}]:",
            "    now = optimizer.apply_gradients({'w': gradient}, now)",
            "x = now['w']",
        ]
    if step.function.startswith("init."):
        return [f"x = nn.{step.function}({', '.join(_named(named, names))})({words[0]})"]
    return [f"x = {_call(step, names)}"]


def _room(name: str) -> str:
    return name.replace("optimizers.", "optim.")


def _function(name: str) -> str:
    """Return what a function of `mlx.nn` is called there: losses have a room of their own."""
    return name.replace("nn.", "nn.losses.") if name.endswith(LOSSES) else name


def _told(made: Any, named: dict[str, Any]) -> str:
    return ", ".join([*map(repr, made), *(f"{key}={value!r}" for key, value in named.items())])


def _named(named: dict[str, Any], names: str) -> list[str]:
    return [f"{key}={_word(value, names)}" for key, value in named.items()]


def _call(step: Step, names: str) -> str:
    words = [_word(one, names) for one in step.arguments]
    if step.function == "[]":
        return f"{words[0]}[{words[1].strip('[]')}]"
    if step.function == "at[].add":
        return f"{words[0]}.at[{words[1]}].add({words[2]})"
    named = {name: _word(one, names) for name, one in step.keywords.items()}
    how = ", ".join(f"{name}={one}" for name, one in named.items() if name != "transpose")
    if step.function in ("dequantize", "quantized_matmul"):
        words[-1] = f"*mx.quantize({words[-1]}, {how})"
    words += [f"{name}={one}" for name, one in named.items()]
    if step.function in KNOWN_RESULTS:
        return f"{KNOWN_RESULTS[step.function][0]}({', '.join(words)})"
    if step.function.startswith("nn."):
        return f"{_function(step.function)}({', '.join(words)})"
    return f"mx.{step.function}({', '.join(words)})"


def _word(word: Any, names: str) -> str:
    if isinstance(word, (list, tuple)):
        return f"[{', '.join(_word(one, names) for one in word)}]"
    if not isinstance(word, dict):
        return repr(word)
    if not word or next(iter(word)) not in WORDS:
        return repr(word)
    kind, value = next(iter(word.items()))
    if kind == "array":
        return names[value]
    if kind == "slice":
        return f"slice({', '.join(map(repr, value))})"
    if kind == "whole":
        return f"mx.array({value})"
    if kind == "dtype":
        return f"mx.{value}_" if value == "bool" else f"mx.{value}"
    return "[one.reshape(-1) for one in x]" if kind == "pieces" else "x" if value == 0 else f"x[{value}]"


KNOWN_RESULTS = _read_known_results()
