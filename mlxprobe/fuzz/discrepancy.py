"""What a case has shown to be wrong, and what it could not be asked."""

from __future__ import annotations

from mlxprobe.schema.observation import Value

UNSUPPORTED = (
    "not implemented",
    "not yet implemented",
    "has no gpu implementation",
    "has no cuda implementation",
    "unsupported",
    "not supported",
    "not yet supported",
    "only support",
    "arrays only",
    "nyi",
    "has no attribute",
    "cannot calculate vjp",
    "cannot vmap",
    "can only handle",
    "can only serialize",
    "incompatible function arguments",
    "unexpected keyword argument",
)
FATAL = ("crash", "hang", "memory limit", "error")  # oracles: how a process ended
ROUGH = "as rough as float32"


class Discrepancy(Value, frozen=True):
    """One oracle's word against one case.

    Args:
        oracle: which comparison failed: value, forward mode, reverse mode, compiled, vmap, copy, memory, crash …
        kind: how: numbers, nan, shape, dtype, raises, or how the process ended.
        message: what was seen, and what is right, in numbers.
        excess: by how many times the difference is larger than rounding can explain; 0 where that is no question.
        mode: in which a process ended; empty where none did.
        proved: a reference says who is right; False where two ways only differ.
    """

    case: str
    operation: str
    oracle: str
    kind: str
    message: str
    excess: float = 0.0
    mode: str = ""
    proved: bool = True

    @property
    def asks(self) -> str:
        """What a case must be asked to show it again."""
        return f"mode {self.mode}" if self.mode else self.oracle

    def is_like(self, other: Discrepancy) -> bool:
        """Return whether both fail by the same oracle in the same way."""
        return (self.oracle, self.kind) == (other.oracle, other.kind) or {self.oracle, other.oracle} <= {*FATAL}

    @property
    def cause(self) -> tuple[str, str, str]:
        """What is told once, however many cases show it; some is the fault of what surrounds an operation."""
        if self.oracle in FATAL:  # what reads memory that is not its own may end in any way
            return self.operation, "ended", self.mode
        return "" if self.oracle == "memory" or self.kind == ROUGH else self.operation, self.oracle, self.kind


def is_unsupported(error: str) -> bool:
    """Return whether MLX says of itself that it has not got something: that is no finding."""
    return any(words in error.lower() for words in UNSUPPORTED)
