"""The operations that cases are made of, each with valid arguments and mostly with a reference."""

from dataclasses import replace
from importlib import import_module
from pkgutil import iter_modules

from mlxprobe.fuzz.operations.registry import OPERATIONS, Operation

__all__ = ["OPERATIONS", "Operation"]

ALIASES = {
    **{f"a{name}": f"arc{name}" for name in ("cos", "cosh", "sin", "sinh", "tan", "tan2", "tanh")},
    "bitwise_left_shift": "left_shift",
    "bitwise_right_shift": "right_shift",
    "concat": "concatenate",
    "conj": "conjugate",
    "cumulative_prod": "cumprod",
    "cumulative_sum": "cumsum",
    "permute_dims": "transpose",
    "pow": "power",
}
for module in iter_modules(__path__):  # each registers its operations
    import_module(f"{__name__}.{module.name}")
OPERATIONS.update({name: replace(OPERATIONS[one], name=name) for name, one in ALIASES.items()})
