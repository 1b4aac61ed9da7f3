"""Give every function of MLX's a parameter more, let the agent come, and call what it has wrapped: with that, by names.

Prints a line for each: what was lost on the way, or raised.
"""

import inspect
import os
import sys
import tempfile
from types import ModuleType

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

from mlxprobe.agent.lifecycle.attached_agent import Guest
from mlxprobe.agent.patching.signatures import parameters

MODULES = [
    mx,
    mx.fast,
    mx.random,
    mx.distributed,
    *(one for name, one in sys.modules.items() if name.startswith("mlx.")),
]
PROTOCOL = {"__getitem__", "__setitem__", "__iter__", "__setattr__", "__float__", "__int__", "__bool__", "__init__"}
ARRAY, ONE = mx.array([[1.0, 2.0, 3.0]] * 2), mx.array(1.0)
received = []
names_of = {}


def shim(original, name):
    def shim(*args, **kwargs):
        if UNDER is shim:
            received.append((args, kwargs))
            return INITIALIZER if original.__module__ == "mlx.nn.init" else results.get(name, ARRAY)
        return original(*args, **kwargs)

    shim.__name__ = shim.__qualname__ = name
    shim.__module__ = original.__module__
    shim.__wrapped__ = original
    names_of[id(shim)] = parameters(original)
    return shim


class Group:
    def size(self):
        return 1

    def rank(self):
        return 0


UNDER = None


def INITIALIZER(array):
    return array


results = {
    "value_and_grad": lambda *args, **kwargs: (ONE, {}),
    "grad": lambda *args, **kwargs: {},
    "compile": lambda *args, **kwargs: ONE,
    "checkpoint": lambda *args, **kwargs: ONE,
    "vmap": lambda *args, **kwargs: ONE,
    "init": Group(),
    "load": {"a": ARRAY},
    "join_schedules": lambda step: 1.0,
    "clip_grad_norm": ({}, ONE),
    **dict.fromkeys(("linear_schedule", "cosine_decay", "exponential_decay", "step_decay"), lambda step: 1.0),
    "get_peak_memory": 0,
}
model, optimizer = nn.Linear(3, 2), optim.SGD(0.1)
special = {
    "self": lambda owner: {nn.Module: model, mx.array: ARRAY, optim.Optimizer: optimizer}.get(
        next(
            (
                one
                for one in (nn.Module, mx.array, optim.Optimizer)
                if inspect.isclass(owner) and issubclass(owner, one)
            ),
            0,
        ),
        Group(),
    ),
    "model": lambda _: model,
    "fn": lambda _: print,
    "fun": lambda _: print,
    "f": lambda _: print,
    "file": lambda _: "nowhere.npz",
    "file_or_weights": lambda _: [("weight", ARRAY)],
    "parameters": lambda _: {},
    "gradients": lambda _: {},
    "grads": lambda _: {},
    "max_norm": lambda _: 1.0,
    "schedules": lambda _: [],
    "boundaries": lambda _: [],
    "axis": lambda _: -1,
    "strict": lambda _: True,
    "argnums": lambda _: 0,
    "argnames": lambda _: [],
    "recurse": lambda _: True,
    "keys": lambda _: None,
    "mode": lambda _: False,
    "scale": lambda _: 1.0,
    "smoothing": lambda _: 0.0,
    "label_smoothing": lambda _: 0.0,
    "init": lambda _: 1.0,
    "end": lambda _: 0.5,
    "steps": lambda _: 10,
    "decay_steps": lambda _: 10,
    "dst": lambda _: 1,
    "src": lambda _: 1,
    "color": lambda _: 1,
    "seed": lambda _: 3,
}


def given(name, owner):
    return special.get(name, lambda _: ARRAY)(owner)


def shimmed():
    """Put a shim in the place of every function and method."""
    owners = {
        id(one): one
        for module in MODULES
        for one in (module, *vars(module).values())
        if isinstance(one, (ModuleType, type))
    }
    for owner in owners.values():
        if not str(getattr(owner, "__module__", None) or owner.__name__).startswith("mlx"):
            continue
        for name, one in list(vars(owner).items()):
            plain = callable(one) and not isinstance(one, (type, staticmethod, classmethod)) and name not in PROTOCOL
            if plain and (not name.startswith("_") or name in ("__call__", "_reduce")):
                try:
                    setattr(owner, name, shim(one, name))
                except (AttributeError, TypeError):
                    continue


shimmed()
folder = tempfile.mkdtemp()
os.mkfifo(os.path.join(folder, "events"))
reading = os.open(os.path.join(folder, "events"), os.O_RDWR)
guest = Guest(folder, os.getpid())
found = {(id(owner), name): (owner, name, then, now) for owner, name, then, now in guest._patches._found}
inspection = guest.agent._inspection
print(*sorted(f"{owner.__name__}.{name}" for owner, name, then, _ in found.values() if id(then) in names_of))
for owner, name, then, now in found.values():
    if id(then) not in names_of:
        continue
    known = [one for one in names_of[id(then)] if one not in ("args", "kwargs", "stream")]
    values = {one: given(one, owner) for one in known}
    own = [known[0]] if known[:1] == ["self"] else []
    ways = {
        "by place": ([values[one] for one in known], {"new": 17}),
        "by name, turned": (
            [values[one] for one in own],
            {one: values[one] for one in known[len(own) :][::-1]} | {"new": 17},
        ),
        "one more": ([*(values[one] for one in known), 18], {}),
    }
    for looked in (False, True):
        for way, (args, kwargs) in ways.items():
            received.clear()
            label = f"{getattr(owner, '__name__', owner)}.{name} {way}{' at a look' if looked else ''}"
            inspection.due, inspection.nesting.depth, UNDER = looked, int(looked), then
            try:
                now(*args, **kwargs)
            except Exception as error:
                print("RAISED", label, type(error).__name__, error)
                continue
            finally:
                UNDER, inspection.due, inspection.nesting.depth = None, False, 0
            mine = [one for one in received if len(one[0]) == len(args) and {*one[1]} == {*kwargs}]
            if not mine:
                print("LOST", label, [(len(a), sorted(k)) for a, k in received])
os._exit(0)
