"""What random arguments are made of: Hypothesis strategies for shapes, axes, dtypes and arrays."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, mutually_broadcastable_shapes

from mlxprobe.fuzz.case import FLOATS, INTEGERS, SIGNED, UNSIGNED, Array
from mlxprobe.fuzz.child.layouts import ALIKE, LAYOUTS

Shape = tuple[int, ...]
LONG = (17, 33, 65, 129, 257, 1025, 4097)  # one more than blocks of kernels have
MOST = 9000  # elements
APART = 5  # layouts
SPECIALS = ("nan", "inf", "-inf", "-0", "huge", "tiny", "0")
VARIED = "varied"  # real, and never one number many times: what is left of it without its mean is rounding alone
SPREAD = ("real", "positive", "unit", "above", "share")  # kinds whose values may all be the same


class Draw:
    """Draw from strategies as Hypothesis does; `turn` says which of a program's calls the arguments are for.

    What is known to take other paths (a class of dtypes, an argument that alone is differentiated) comes up in turn and
    is not left to chance; without a turn everything is.
    """

    def __init__(self, draw: Callable[[st.SearchStrategy[Any]], Any], turn: int | None = None, first: int = 0) -> None:
        self._draw = draw
        self.turn = turn
        self._layout = first + (turn or 0)

    def __call__(self, strategy: st.SearchStrategy[Any]) -> Any:
        return self._draw(strategy)

    def of(self, *words: str) -> str:
        """Return the word whose turn it is; empty, which leaves it to chance, without one."""
        return "" if self.turn is None else words[self.turn % len(words)]

    def layout(self, rows: Sequence[str]) -> str:
        """Return a layout: in a program's calls one after the other, those of its arrays apart from each other."""
        if self.turn is None:
            return str(self(st.sampled_from(rows)))
        self._layout += APART
        return rows[self._layout % len(rows)]


class Arguments(NamedTuple):
    """Arrays, and how a function is called with them (see `case.Step`)."""

    arrays: tuple[Array, ...]
    arguments: tuple[Any, ...]
    keywords: dict[str, Any] = {}


Builder = Callable[[Draw], Arguments]  # draws the arguments of one call


def arguments(*arrays: Array, after: Sequence[Any] = (), **keywords: Any) -> Arguments:
    """Return the arguments of a call: the arrays in their order, then further arguments, then named ones."""
    return Arguments(arrays, (*({"array": k} for k in range(len(arrays))), *after), keywords)


def one_array(
    kind: str = "real",
    dtype: str | Callable[[Draw], str] | None = None,
    *,
    low: int = 0,
    empty: bool = True,
    special: bool = False,
    **keywords: Any,
) -> Builder:
    """Return a builder of one array of at least `low` axes, by default floating, and of named arguments."""

    def build(draw: Draw) -> Arguments:
        dims = shape(draw, low, empty=empty)
        chosen = dtype if isinstance(dtype, str) else (dtype or floating)(draw)
        return arguments(array(draw, dims, chosen, kind, special=special), **keywords)

    return build


def shape(draw: Draw, low: int = 0, high: int = 3, side: int = 5, *, empty: bool = True) -> Shape:
    """Draw a shape of `low` to `high` axes; one in eight may have axes of no length, where `empty` allows it.

    Of those that may be larger than four, one in twelve has a long axis.
    """
    least = draw(st.sampled_from((0, *(1,) * 7))) if empty else 1
    found: Shape = draw(array_shapes(min_dims=low, max_dims=high, min_side=least, max_side=side))
    if not found or side < 5 or draw(st.integers(0, 11)):
        return found
    place, length = draw(st.integers(0, len(found) - 1)), draw(st.sampled_from(LONG))
    longer = (*found[:place], length, *found[place + 1 :])
    return longer if math.prod(longer) < MOST else found


def shapes(draw: Draw, count: int) -> Sequence[Shape]:
    """Draw shapes that can be broadcast against each other."""
    found = draw(mutually_broadcastable_shapes(num_shapes=count, max_dims=3, min_side=1, max_side=5))
    return tuple(found.input_shapes)


def floating(draw: Draw) -> str:
    """Draw a floating dtype, mostly float32."""
    kind = draw.of("float32", "any", "float32", "half")
    rows = {"float32": ("float32",), "half": FLOATS[1:]}.get(kind, ("float32", "float32", *FLOATS))
    return str(draw(st.sampled_from(rows)))


def integer(draw: Draw) -> str:
    """Draw an integer dtype."""
    kind = draw.of("signed", "signed", "signed", "any", "any", "signed", "unsigned", "any")
    return str(draw(st.sampled_from({"signed": SIGNED, "unsigned": UNSIGNED}.get(kind, INTEGERS))))


def any_dtype(draw: Draw) -> str:
    """Draw any dtype, half of the time a floating one."""
    kind = draw.of("float", "whole", "any")
    if kind == "whole":
        return integer(draw)
    return floating(draw) if kind == "float" or draw(st.booleans()) else str(draw(st.sampled_from((*INTEGERS, "bool"))))


def number(draw: Draw) -> str:
    """Draw a dtype with which one can reckon: half of the time a floating one, complex now and then."""
    kind = draw.of("float", "complex", "whole", "any", "complex", "float", "whole", "complex")
    if kind in ("float", "whole"):
        return floating(draw) if kind == "float" else integer(draw)
    return any_dtype(draw) if kind != "complex" and draw(st.integers(0, 5)) else "complex64"


def inexact(draw: Draw) -> str:
    """Draw a floating dtype, or the complex one now and then."""
    kind = draw.of("float", "complex", "float", "any", "complex", "float", "any", "complex")
    return floating(draw) if kind == "float" or (kind != "complex" and draw(st.integers(0, 5))) else "complex64"


def array(
    draw: Draw, of: Shape, dtype: str = "float32", kind: str = "real", *, bound: int = 0, special: bool = False
) -> Array:
    """Draw how an array of this shape lies in memory, its values' number, and what is put into it."""
    layouts = [one for one in LAYOUTS if kind in SPREAD or one not in ALIKE]
    if kind == "distinct" and math.prod(of) > 100:  # so many numbers the others have not
        dtype = "float32" if dtype in FLOATS else "int32"
    put = draw(st.lists(st.sampled_from(SPECIALS), max_size=2, unique=True)) if special and dtype in FLOATS else ()
    lies = draw.layout(("plain", "plain", *layouts))
    seed = draw(st.integers(0, 999))
    return Array(shape=of, dtype=dtype, kind=kind, layout=lies, seed=seed, special=tuple(put), bound=bound)


def axis(draw: Draw, ndim: int) -> int:
    """Draw an axis, from either end."""
    return int(draw(st.integers(-ndim, ndim - 1)))


def some_axes(draw: Draw, ndim: int) -> Any:
    """Draw None (all axes), one axis or a list of several."""
    if ndim == 0 or draw(st.booleans()):
        return None
    if ndim == 1 or draw(st.booleans()):
        return axis(draw, ndim)
    return list(draw(st.permutations(range(ndim))))[: draw(st.integers(1, ndim))]
