"""What is known of one sampled step: what its loss's graph and its values have shown so far, by name."""

from __future__ import annotations

from typing import Any, TypeVar

from mlxprobe.agent.introspection import call_site
from mlxprobe.agent.sampling.gradient_ledger import Applied, Clip, Computed

Item = TypeVar("Item")


class StepView:
    """One sampled step, from its first gradient call to its end.

    An inspector that reads the graph of the loss, or a value, enters the result here for the inspectors after it.
    Arrays are the program's own, and are kept no longer than the view.
    """

    def __init__(self) -> None:
        self.pending: int | None = None  # operations behind parameters and optimizer state at the step's end
        self.gradient: float | None = None  # largest finite element of all gradients
        self.scalings: int | None = None  # factors of the loss since its last sum
        self.longest_chain = 0  # operations in a row, where the loss has very many
        self.fed: set[int] = set()  # ids of arrays that layers are given
        self.targets: list[tuple[int, str, Any]] = []  # the stream of losses, how outputs are compared, the array
        self.compared: list[tuple[int, Any]] = []  # the stream, the one array that outputs but no layer are given
        self.squared: set[int] = set()  # ids of targets of a squared error
        self.bounded: list[tuple[str, Any, call_site.Site]] = []  # the outputs' activation, the targets, its line
        self.ratios: list[tuple[Any, str, Any]] = []  # exponents less an argument, that one's name, and itself
        self.taps: list[Any] = []  # what the losses of the call under way were reduced from
        self.loss_scales: list[tuple[float, call_site.Site]] = []  # against a mean of its positions; the line
        self.mask_site: call_site.Site = call_site.NOWHERE  # where the mask of the first attention is decided
        self.computed: list[Computed] = []  # gradient calls, in order
        self.applied: list[Applied] = []  # updates, in order
        self.clip: Clip | None = None  # the last clipping by norm
        self.related_ids: list[Any] = []  # embedded ids that the targets follow; where there are none, the same ones

    def recorded(self) -> tuple[int | None, float | None]:
        """Return what a step's record holds of a look."""
        return self.pending, self.gradient


def taken(items: list[Item]) -> list[Item]:
    """Return what a list holds, and empty it: it is of one gradient call, and a step may have several."""
    found = items[:]
    items.clear()
    return found
