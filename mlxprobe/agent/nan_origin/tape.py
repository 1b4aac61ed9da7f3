"""Run a function with every array operation written down: what it was given, what came out, and whose line it is."""

from __future__ import annotations

import contextlib
import copy
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from types import ModuleType
from typing import Any

from mlxprobe.agent.graph import lazy_graph
from mlxprobe.agent.introspection import call_site
from mlxprobe.agent.introspection.trees import is_array
from mlxprobe.agent.patching.interrupts import let_through
from mlxprobe.agent.patching.signatures import like
from mlxprobe.agent.patching.temporary_patches import Loans
from mlxprobe.agent.wire import bound

DEADLINE_S = 10.0
KEPT_BROKEN = 64  # operations with a result that is not finite, whose operands are kept whatever they take
MODULES = ("mlx.core", "mlx.core.fast", "mlx.core.linalg", "mlx.core.fft", "mlx.core.random")
NO_OPERATIONS = {"array", "eval", "async_eval", "compile", "grad", "value_and_grad", "vjp", "jvp", "vmap", "checkpoint"}
NO_OPERATIONS |= {"custom_function", "result_type", "issubdtype", "broadcast_shapes", "save", "savez", "load", "seed"}
NO_OPERATIONS |= {"save_safetensors", "save_gguf", "savez_compressed", "synchronize", "finfo", "iinfo", "split_key"}
SETTINGS = ("get_", "set_", "reset_", "clear_", "export", "import", "new_", "default_", "disable_", "enable_", "device")
BINARY = ["add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "matmul"]
METHODS = "abs all any argmax argmin astype conj cos cummax cummin cumprod cumsum diag diagonal exp flatten log log10"
METHODS += " log1p log2 logcumsumexp logsumexp max mean min moveaxis prod reciprocal reshape round rsqrt sin split sqrt"
METHODS += " square squeeze std sum swapaxes transpose var view __neg__ __abs__ __getitem__ __setitem__ T mT"
NAN, INFINITE, FINITE = "nan", "inf", ""


class NotTakenError(Exception):
    """The gradient call cannot be taken again; why stands in the message."""


@dataclass
class Operation:
    """One operation. Arrays are known by number: a handle may be written to, a number is one value for good."""

    name: str
    function: Callable[..., Any]
    given: tuple[tuple[Any, ...], dict[str, Any]] | None  # None where it is not kept
    inputs: list[int]
    outputs: list[int]
    site: tuple[str, int]


@dataclass
class Tape:
    """The operations of one run, in order."""

    room_bytes: float
    tick: Callable[[], None]
    operations: list[Operation] = field(default_factory=list)
    producer: dict[int, Operation] = field(default_factory=dict)
    values: dict[int, Any] = field(default_factory=dict)
    states: dict[int, str] = field(default_factory=dict)
    whole: bool = True  # whether all operands are kept

    def __post_init__(self) -> None:
        self._numbers: dict[int, tuple[Any, int]] = {}  # by handle, which is kept
        self._inside = False
        self._bytes = self._broken = 0
        self._until_s = bound.monotonic() + DEADLINE_S

    def number(self, handle: Any) -> int:
        """Return the number of the value that a handle has now."""
        known = self._numbers.get(id(handle))
        return known[1] if known is not None else self._name(handle)

    def _name(self, handle: Any) -> int:
        number = len(self.states)
        self._numbers[id(handle)] = handle, number
        self.states[number] = state_of(handle)
        if self.whole or (self.states[number] and self._broken < KEPT_BROKEN):
            self.values[number] = copy.copy(handle)
            self._bytes += handle.nbytes
        if self._bytes > self.room_bytes:
            self._forget()
        return number

    def _forget(self) -> None:
        self.whole = False
        for operation in self.operations:
            if not any(self.states[one] for one in operation.outputs):
                operation.given = None
        self.values = {number: one for number, one in self.values.items() if self.states[number]}

    @contextlib.contextmanager
    def recording(self) -> Iterator[None]:
        """Write down what happens meanwhile."""
        loans = Loans()
        try:
            for owner, name in wrappable():
                loans.replace(owner, name, self._property if name in ("T", "mT") else partial(self._wrap, name))
            yield
        finally:
            loans.give_back()

    def _property(self, original: Any) -> Any:
        return property(self._wrap("transpose", original.__get__))

    def _wrap(self, name: str, original: Callable[..., Any]) -> Callable[..., Any]:
        plain = name.strip("_")
        function = assigned if name == "__setitem__" else original

        @like(original)
        def operation(*args: Any, **kwargs: Any) -> Any:
            if self._inside:
                return original(*args, **kwargs)
            self._inside = True
            try:
                given = mapped(args, copy.copy), mapped(kwargs, copy.copy)
                inputs = [self.number(one) for one in lazy_graph.leaves([args, kwargs])]
                result = original(*args, **kwargs)
                self._write(plain, function, given, inputs, args[0] if name == "__setitem__" else result)
            finally:
                self._inside = False
            return result

        return operation

    def _write(self, name: str, function: Any, given: Any, inputs: list[int], result: Any) -> None:
        results = [one for one in (result if isinstance(result, (list, tuple)) else [result]) if is_array(one)]
        if not results:
            return
        now = bound.monotonic()
        if now > self._until_s:
            raise NotTakenError(f"it takes longer than {DEADLINE_S:g} s, operation by operation")
        self.tick()
        outputs = [self._name(one) for one in results]
        broken = any(self.states[one] for one in outputs)
        self._broken += broken
        kept = given if self.whole or (broken and self._broken <= KEPT_BROKEN) else None
        operation = Operation(name, function, kept, inputs, outputs, call_site.calling())
        self.operations.append(operation)
        self.producer |= dict.fromkeys(outputs, operation)


def wrappable() -> Iterator[tuple[Any, str]]:
    """List what makes arrays out of arrays: functions of MLX's modules, and operators and methods of its arrays."""
    import mlx.core as mx

    for module in (sys.modules.get(name) for name in MODULES):
        for name, one in list(vars(module).items()) if isinstance(module, ModuleType) else ():
            if callable(one) and not isinstance(one, type) and is_operation(name):
                yield module, name
    for name in (*(f"__{k}{one}__" for one in BINARY for k in ("", "r", "i")), *METHODS.split()):
        if hasattr(mx.array, name):
            yield mx.array, name


def is_operation(name: str) -> bool:
    """Tell whether a function of MLX's makes arrays out of arrays, by its name."""
    return name not in NO_OPERATIONS and not name.startswith(("_", *SETTINGS))


def state_of(array: Any) -> str:
    """Tell whether an array holds a NaN, else an infinity. It is evaluated."""
    import mlx.core as mx

    try:
        if not array.size or not mx.issubdtype(array.dtype, mx.floating):
            mx.eval(array)
            return FINITE
        if bool(mx.all(mx.isfinite(array)).item()):
            return FINITE
        return NAN if bool(mx.any(mx.isnan(array)).item()) else INFINITE
    except ValueError as error:  # within a transformation of the program's own
        let_through(error)
        raise NotTakenError("it holds a transformation, whose values cannot be read") from error


def mapped(tree: Any, function: Callable[[Any], Any]) -> Any:
    """Return the same tuples, lists and dicts with each array put through a function."""
    if is_array(tree):
        return function(tree)
    if type(tree) in (list, tuple):
        return type(tree)(mapped(one, function) for one in tree)
    return {key: mapped(one, function) for key, one in tree.items()} if type(tree) is dict else tree


def assigned(array: Any, index: Any, value: Any) -> Any:
    """Return an array with a part of it set."""
    changed = copy.copy(array)
    changed[index] = value
    return changed
