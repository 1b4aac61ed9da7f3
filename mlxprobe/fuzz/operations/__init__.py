"""The operations that cases are made of, each with arguments that are right for it and, mostly, a reference."""

from dataclasses import replace

from mlxprobe.fuzz.operations import (
    activations,
    algebra,
    elementwise,
    fast_quantized,
    higher_order,
    indexing,
    layers,
    losses_optimizers,
    misc,
    products,
    reductions,
    shaping,
)
from mlxprobe.fuzz.operations.registry import OPERATIONS, Operation

ALIASES = {
    "acos": "arccos",
    "acosh": "arccosh",
    "asin": "arcsin",
    "asinh": "arcsinh",
    "atan": "arctan",
    "atan2": "arctan2",
    "atanh": "arctanh",
    "bitwise_left_shift": "left_shift",
    "bitwise_right_shift": "right_shift",
    "concat": "concatenate",
    "conj": "conjugate",
    "cumulative_prod": "cumprod",
    "cumulative_sum": "cumsum",
    "permute_dims": "transpose",
    "pow": "power",
}
OPERATIONS.update({name: replace(OPERATIONS[one], name=name) for name, one in ALIASES.items()})

__all__ = [
    "OPERATIONS",
    "Operation",
    "activations",
    "algebra",
    "elementwise",
    "fast_quantized",
    "higher_order",
    "indexing",
    "layers",
    "losses_optimizers",
    "misc",
    "products",
    "reductions",
    "shaping",
]
