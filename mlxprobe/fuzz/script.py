"""A case as a script that anybody can run: MLX and NumPy alone, at most fifteen lines. Pure."""

from __future__ import annotations

from mlxprobe.fuzz.case import Array, Case
from mlxprobe.fuzz.contents import Numbers, contents
from mlxprobe.fuzz.discrepancy import Discrepancy
from mlxprobe.fuzz.inside import layouts
from mlxprobe.fuzz.script_calls import body, defined, imports, program

LETTERS = "abcdefgh"
LINES = 15
ENDED = {"forward": "forward mode", "reverse": "reverse mode", "compiled": "compiled", "grows": "memory"}
DERIVED = ("forward mode", "reverse mode", "forward against reverse")


def script(case: Case, shown: Discrepancy) -> str:
    """Return the script of a case and the oracle that it fails."""
    if case.operation == "train.program":
        return program(case, shown.message)
    names = LETTERS[: len(case.arrays)]
    kinds = dict(zip(names, case.arrays, strict=True))
    wide = shown.oracle == "float64" or (shown.oracle in DERIVED and shown.kind == "numbers")
    lines = ["import mlx.core as mx", *imports(case)]
    lines += ["import resource"] * ("memory" in (shown.oracle, ENDED.get(shown.mode)))
    lines += ["mx.set_default_device(mx.cpu)"] * wide
    values = [_array(one, wide=wide) for one in kinds.values()]
    called = [*defined(case), f"def f({', '.join(names)}):", *(f"    {line}" for line in body(case, names))]
    asked = [*_asked(case, shown, names, wide=wide), f"# {shown.message}"]
    given = [f"{name} = {one}" for name, one in zip(names, values, strict=True)]
    room = LINES - len(lines) - len(called) - len(asked)
    if len(given) > room:
        given = [f"{', '.join(names)} = {', '.join(values)}"] * bool(given)
    apart = [""] * (room - len(given) >= 2)
    return "\n".join([*lines, *given, *apart, *called, *apart, *asked]) + "\n"


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
    if "vmap" in (shown.oracle, shown.mode):
        stacked = [
            f"mx.stack([{name}, {_array(one, 1)}], {axis})" if axis is not None else name
            for name, one, axis in zip(names, case.arrays, case.axes, strict=True)
        ]
        second = [
            _array(one, 1) if axis is not None else name
            for name, one, axis in zip(names, case.arrays, case.axes, strict=True)
        ]
        return [
            *[f"print(f({listed}), f({', '.join(second)}))"] * (shown.oracle == "vmap"),
            f"print(mx.vmap(f, in_axes={tuple(case.axes)})({', '.join(stacked)}))",
        ]
    answers = {
        "compiled": [f"print(f({listed}), mx.compile(f)({listed}))"],
        "copy": [f"print(f({listed}), f({', '.join(plain)}))"],
        "memory": [
            "for call in range(30001):",
            f"    {_repeated(shown.kind.partition(',')[0], listed, free, case.axes)}",
            "    if call % 10000 == 0:",
            "        print(mx.get_active_memory(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, 'kB')",
        ],
        "forward mode": [
            f"g, h = {inner}, {'1e-4' if wide else '1e-2'}",
            f"print(mx.jvp(g, [{free}], {ways})[1])",
            f"print((g({_moved(smooth, '+')}) - g({_moved(smooth, '-')})) / (2 * h))",
        ],
    }
    answers["reverse mode"] = [
        f"g, h = {inner}, {'1e-4' if wide else '1e-2'}",
        f"print(sum(one.sum() for one in mx.vjp(g, [{free}], [mx.ones_like(g({free}))])[1]))",
        f"print(((g({_moved(smooth, '+')}) - g({_moved(smooth, '-')})) / (2 * h)).sum())",
    ]
    answers["forward against reverse"] = [
        f"g = {inner}",
        f"ahead, back = mx.jvp(g, [{free}], {ways})[1], mx.vjp(g, [{free}], [mx.ones_like(g({free}))])[1]",
        "print(ahead[0].sum(), sum(one.sum() for one in back))",
    ]
    oracle = ENDED.get(shown.mode, shown.oracle)
    return answers.get(oracle, [f"print(f({listed}))"])


def _repeated(way: str, listed: str, free: str, axes: tuple[int | None, ...]) -> str:
    """Return the line that is repeated where memory grows."""
    if way == "vmap":
        both = ", ".join(
            name if axis is None else f"mx.stack([{name}, {name}], {axis})"
            for name, axis in zip(listed.split(", "), axes, strict=True)
        )
        return f"mx.eval(mx.vmap(f, in_axes={tuple(axes)})({both}))"
    if way == "compiled":
        return f"mx.eval(mx.compile(lambda *same: f(*same))({listed}))"
    if way == "derivative":
        inner = f"lambda {free}: f({listed})"
        return f"mx.eval(mx.vjp({inner}, [{free}], [mx.ones_like(f({listed}))])[1])"
    return f"mx.eval(f({listed}))"


def _moved(names: list[str], sign: str) -> str:
    return ", ".join(f"{name} {sign} h" for name in names)
