"""A case as a script that anybody can run: MLX and NumPy alone, at most fifteen lines. Pure."""

from __future__ import annotations

from mlxprobe.fuzz import script_trainings
from mlxprobe.fuzz.array_values import Numbers, contents
from mlxprobe.fuzz.case import Array, Case
from mlxprobe.fuzz.child import layouts
from mlxprobe.fuzz.discrepancy import Discrepancy
from mlxprobe.fuzz.jax_oracle import JAX
from mlxprobe.fuzz.operations import OPERATIONS
from mlxprobe.fuzz.reference import moving
from mlxprobe.fuzz.script_calls import body, defined, imports, program, texts

LETTERS = "abcdefgh"
LINES = 15
ENDED = {"forward": "forward mode", "reverse": "reverse mode", "compiled": "compiled", "grows": "memory"}
DERIVED = ("forward mode", "reverse mode", "forward against reverse")


def script(case: Case, shown: Discrepancy) -> str:
    """Return the script of a case and the oracle that it fails."""
    if case.operation == "train.program":
        alone = shown.mode or shown.kind == "raises"  # without the other one
        return script_trainings.program(texts(case)[0], shown.message) if alone else program(case, shown.message)
    if case.operation.startswith("train."):
        return script_trainings.training(case, [_array(one) for one in case.arrays], shown.message)
    names = LETTERS[: len(case.arrays)]
    kinds = dict(zip(names, case.arrays, strict=True))
    derived = (shown.oracle in DERIVED and shown.kind == "numbers") or (shown.oracle == JAX and shown.kind in DERIVED)
    wide = shown.oracle == "float64" or derived
    first, *others = imports(case)
    lines = [first + ", resource" * ("memory" in (shown.oracle, ENDED.get(shown.mode))), *others]
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
    free = ", ".join(names[k] for k in moving(case))
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
    }
    answers |= _derived(case, names, wide=wide)
    oracle = ENDED.get(shown.mode, shown.kind if shown.oracle == JAX else shown.oracle)
    return answers.get(oracle, [f"print(f({listed}))"])


def _derived(case: Case, names: str, *, wide: bool) -> dict[str, list[str]]:
    """Return the lines that hold derivatives against differences, along ones; of complex numbers the real part."""
    free = [names[k] for k in moving(case)]
    complex_ = [case.arrays[k].dtype == "complex64" for k in moving(case)]
    given, several = ", ".join(free), OPERATIONS[case.operation].several and len(case.steps) == 1
    beyond, length = any(complex_), "1e-3" if wide and not any(complex_) else "1e-2"
    factors = ["(0.6 + 0.8j) * " * one for one in complex_]
    ways = ", ".join(f"{by}mx.ones_like({name})" for name, by in zip(free, factors, strict=True))
    up, down = (
        f"g({', '.join(f'{name} {sign} {by}h' for name, by in zip(free, factors, strict=True))})" for sign in "+-"
    )
    g, step = f"lambda {given}: f({', '.join(names)})", "({} - {}) / (2 * h)"
    pairs = f"for one, other in zip({up}, {down})"
    differ = f"[{step.format('one', 'other')} {pairs}]" if several else step.format(up, down)
    ones = f"[mx.ones_like(one) for one in g({given})]" if several else f"[mx.ones_like(g({given}))]"
    along = (
        f"mx.real(mx.conj(way) * one).sum() for way, one in zip([{ways}], grads)"
        if beyond
        else "one.sum() for one in grads"
    )
    real = "mx.real({})".format if beyond else "{}".format
    total = f"sum({real('((one - other) / (2 * h))')}.sum() {pairs})" if several else f"{real(f'({differ})')}.sum()"
    return {
        "forward mode": [f"g, h = {g}, {length}", f"print(mx.jvp(g, [{given}], [{ways}])[1])", f"print({differ})"],
        "reverse mode": [
            f"g, h = {g}, {length}",
            f"grads = mx.vjp(g, [{given}], {ones})[1]",
            f"print(sum({along}), {total})",
        ],
        "forward against reverse": [
            f"g, ways = {g}, [{ways}]",
            f"ahead, grads = mx.jvp(g, [{given}], ways)[1], mx.vjp(g, [{given}], {ones})[1]",
            f"print(sum({real('one')}.sum() for one in ahead), sum({along}))",
        ],
    }


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
