"""A case as a script that anybody can run: MLX and NumPy alone, at most fifteen lines. Pure."""

from __future__ import annotations

from typing import Any

from mlxprobe.fuzz.case import Array, Case, Step
from mlxprobe.fuzz.contents import Numbers, contents
from mlxprobe.fuzz.discrepancy import Discrepancy
from mlxprobe.fuzz.inside import layouts

LETTERS = "abcdefgh"
WORDS = ("array", "result", "pieces", "slice", "whole", "dtype")
ROOMS = ("nn", "init", "optimizers", "train")


def script(case: Case, shown: Discrepancy) -> str:
    """Return the script of a case and the oracle that it fails."""
    names = LETTERS[: len(case.arrays)]
    kinds = dict(zip(names, case.arrays, strict=True))
    wide = shown.oracle in ("float64", "forward mode", "reverse mode", "forward against reverse")
    wide = wide and shown.kind == "numbers"
    lines = ["import mlx.core as mx"]
    if any(step.function.partition(".")[0] in ROOMS for step in case.steps):
        lines += ["from mlxprobe.fuzz.inside.modules import called"]
    lines += ["mx.set_default_device(mx.cpu)"] if wide else []
    lines += [f"{name} = {_array(one, wide=wide)}" for name, one in kinds.items()]
    lines += ["", f"def f({', '.join(names)}):", *(f"    {line}" for line in _body(case, names)), ""]
    lines += _asked(case, shown, names, wide=wide)
    lines += [f"# {shown.message}"]
    return "\n".join(lines) + "\n"


def _body(case: Case, names: str) -> list[str]:
    lines = [f"x = {_call(step, names)}" for step in case.steps]
    return [*lines[:-1], f"return {lines[-1][4:]}"]


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
    room = step.function.partition(".")[0]
    if room in ROOMS:  # how its parameters are filled is told in `inside/modules.py`
        return f"called({step.function!r})({', '.join(words)})"
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


def _array(array: Array, other: int = 0, *, wide: bool = False) -> str:
    values = contents(array, other)
    if laid := layouts.of(array.layout, values):
        return laid.text.format(_made(laid.stored(values), array, wide=wide), values.shape)
    return _made(values, array, wide=wide)


def _made(values: Numbers, array: Array, *, wide: bool = False) -> str:
    if values.size == 0:
        return f"mx.zeros({values.shape}, {_dtype(array, wide=wide)})"
    told = repr(values.tolist()).replace("nan", "mx.nan").replace("inf", "mx.inf")
    return f"mx.array({told}, {_dtype(array, wide=wide)})"


def _dtype(array: Array, *, wide: bool) -> str:
    return "mx.float64" if wide and array.is_float else "mx.bool_" if array.dtype == "bool" else f"mx.{array.dtype}"


def _asked(case: Case, shown: Discrepancy, names: str, *, wide: bool) -> list[str]:
    """Return the lines that show it."""
    listed = ", ".join(names)
    smooth = [name for name, one in zip(names, case.arrays, strict=True) if one.is_float]
    ways = f"[{', '.join(f'mx.ones_like({name})' for name in smooth)}]"
    free = ", ".join(smooth)
    inner = f"lambda {free}: f({listed})"
    plain = [f"mx.contiguous({name})" for name in names]
    if shown.oracle == "vmap":
        stacked = [
            f"mx.stack([{name}, {_array(one, 1)}], {axis})" if axis is not None else name
            for name, one, axis in zip(names, case.arrays, case.axes, strict=True)
        ]
        second = [
            _array(one, 1) if axis is not None else name
            for name, one, axis in zip(names, case.arrays, case.axes, strict=True)
        ]
        return [
            f"print(f({listed}), f({', '.join(second)}))",
            f"print(mx.vmap(f, in_axes={tuple(case.axes)})({', '.join(stacked)}))",
        ]
    answers = {
        "compiled": [f"print(f({listed}), mx.compile(f)({listed}))"],
        "copy": [f"print(f({listed}), f({', '.join(plain)}))"],
        "memory": [
            "for _ in range(3):",
            f"    {_repeated(shown.kind, listed, free)}",
            "    print(mx.get_active_memory())",
        ],
        "forward mode": [
            f"g, h = {inner}, {'1e-4' if wide else '1e-2'}",
            f"print(mx.jvp(g, [{free}], {ways})[1])",
            f"print((g({_moved(smooth, '+')}) - g({_moved(smooth, '-')})) / (2 * h))",
        ],
    }
    answers["reverse mode"] = [
        f"g, h = {inner}, {'1e-4' if wide else '1e-2'}",
        f"y = g({free})",
        f"back = mx.vjp(g, [{free}], [mx.ones_like(y)])[1]",
        "print(sum(one.sum() for one in back))",
        f"print(((g({_moved(smooth, '+')}) - g({_moved(smooth, '-')})) / (2 * h)).sum())",
    ]
    answers["forward against reverse"] = [
        f"g = {inner}",
        f"ahead, back = mx.jvp(g, [{free}], {ways})[1], mx.vjp(g, [{free}], [mx.ones_like(g({free}))])[1]",
        "print(ahead[0].sum(), sum(one.sum() for one in back))",
    ]
    return answers.get(shown.oracle, [f"print(f({listed}))"])


def _repeated(way: str, listed: str, free: str) -> str:
    """Return the line that is repeated where memory grows."""
    if way == "compiled":
        return f"mx.eval(mx.compile(lambda *same: f(*same))({listed}))"
    if way == "derivative":
        inner = f"lambda {free}: f({listed})"
        return f"mx.eval(mx.vjp({inner}, [{free}], [mx.ones_like(f({listed}))])[1])"
    return f"mx.eval(f({listed}))"


def _moved(names: list[str], sign: str) -> str:
    return ", ".join(f"{name} {sign} h" for name in names)
