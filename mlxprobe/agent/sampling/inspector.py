"""The base class of inspectors: code that observes one thing at sampled steps, and declares its facts."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, ClassVar

from mlxprobe.agent.intercept.intercepts import Observe
from mlxprobe.agent.recording.gradient_call import Call
from mlxprobe.protocol.fact import Fact

if TYPE_CHECKING:
    from mlxprobe.agent.sampling.dispatcher import Inspection


class Inspector:
    """Something to look at. What an inspector holds of a step it must let go of in `look`."""

    emits: ClassVar[tuple[type[Fact] | str, ...]] = ()  # its facts; after a point, fields of a step or of the sheet
    observes: ClassVar[tuple[Observe, ...]] = ()  # calls of MLX's functions
    builds_on: ClassVar[tuple[str, ...]] = ()  # other inspectors whose results it needs
    shadows = False  # whether it looks into compiled functions too, when they are run eagerly
    passes = 0  # looks before its first: the first is slow, and the program waits for it

    def __init__(self, inspection: Inspection) -> None:
        self.inspection = inspection

    def imported(self, name: str, module: Any) -> None:
        """One of MLX's modules has been imported, and is wrapped."""

    def calling(self) -> None:
        """A gradient call begins, at a sampled step."""

    def called(self, call: Call) -> None:
        """A gradient call has returned, at a sampled step."""

    def given(self, args: Any) -> None:
        """A compiled step is called, at a sampled step."""

    def updating(self, model: Any, optimizer: Any, gradients: Any) -> None:
        """An optimizer is about to update, at a sampled step."""

    def calling_in_trace(self) -> None:
        """A gradient call in a compiled function begins to be traced."""

    def called_in_trace(self, call: Call) -> None:
        """A gradient call in a compiled function is being traced: its arrays have no values, and their graph."""

    def traced(self, model: Any, gradients: Any) -> None:
        """A compiled function is being traced, and updates: its arrays have shapes and places, and no values."""

    def began(self, model: Any, optimizer: Any) -> None:
        """An optimizer has updated for the first time, at whatever step."""

    def training(self, model: Any, optimizer: Any) -> None:
        """A model is about to be trained on, compiled or not, at a sampled step."""

    def look(self, step: int) -> None:
        """A step is complete: what its program evaluates is evaluated now."""

    def forget(self) -> None:
        """Let go of what is held without a look."""

    def finish(self) -> None:
        """The program has come to its end."""


def missing(failed: type[Inspector], kinds: Iterable[type[Inspector]]) -> list[str]:
    """List the facts that are missing after an inspector has failed: its own, and those of all that build on it."""
    gone, before = {failed.__name__}, 0
    kinds = [*kinds]
    while len(gone) > before:
        before = len(gone)
        gone |= {kind.__name__ for kind in kinds if gone.intersection(kind.builds_on)}
    emitted = {one for kind in kinds if kind.__name__ in gone for one in kind.emits}
    return sorted(one if isinstance(one, str) else one.__name__ for one in emitted)
