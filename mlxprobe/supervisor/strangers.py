"""The processes of a tree that runs already, as `Suspicion` asks for them."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from mlxprobe.supervisor import process_tree_snapshot
from mlxprobe.supervisor.pyspy_stacks import Spied
from mlxprobe.supervisor.rank_cpu import Spent

MOST = 32  # processes whose stacks are read


class Strangers:
    """The processes of a tree that carry no agent, as `Suspicion` asks for them."""

    def __init__(self, spied: Spied) -> None:
        self._spied = spied
        self.pythons: set[int] = set()
        self.ranks: set[int] = set()

    @property
    def above(self) -> set[int]:
        """The launcher of ranks, which only waits for them."""
        return self.pythons - self.ranks if self.ranks else set()

    @property
    def on_gpu(self) -> bool:
        """Whether any has a GPU's driver loaded."""
        return any(map(process_tree_snapshot.on_gpu, self.pythons))

    def crew(self) -> dict[int, Spent]:
        """Look at none: what they have built, nobody tells."""
        return {}

    @property
    def own_threads(self) -> set[str]:
        """The bystanders: threads that what stands in MLX does not wait for."""
        numbers = self._spied.numbers
        return {str(numbers[key]) for key in self._spied.bystanders if key in numbers}

    def asked(self, living: Collection[int]) -> dict[int, Iterable[int]]:
        """Return the processes that run Python; of a launcher, its ranks."""
        return dict.fromkeys(sorted((self.pythons - self.above) & set(living))[:MOST], ())
