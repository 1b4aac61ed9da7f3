"""Which gradients are exactly zero, for how long, and whether they have ever been anything else."""

from __future__ import annotations

ZERO_IS_SURE = 4  # looks in a row
DEAD_IS_SURE = 6  # of one that was not zero before
DYING = 2  # of such a one: landmarks are few


class Seen:
    """How often a gradient was looked at, how often in a row it was zero by now, and at which step it last was not."""

    def __init__(self) -> None:
        self.looks = self.zeros = self.alive = 0

    @property
    def died(self) -> bool:
        """Whether it was anything else before."""
        return self.looks > self.zeros


class Zeros:
    """Count by path."""

    def __init__(self) -> None:
        self._seen: dict[str, Seen] = {}

    def __len__(self) -> int:
        return len(self._seen)

    def __getitem__(self, path: str) -> Seen:
        return self._seen.get(path, Seen())

    def count(self, sizes: dict[str, float], step: int) -> None:
        """Take up the largest element of each gradient at a step."""
        for path, size in sizes.items():
            one = self._seen.setdefault(path, Seen())
            one.looks += 1
            one.zeros, one.alive = (one.zeros + 1, one.alive) if size == 0.0 else (0, step)

    def of_same(self, paths: set[str]) -> int:
        """Count the gradients of the models that these are of."""
        owners = {path.rpartition(":")[0] for path in paths}
        return sum(path.rpartition(":")[0] in owners for path in self._seen)

    @property
    def now(self) -> set[str]:
        """Those that were zero at their last look."""
        return {path for path, one in self._seen.items() if one.zeros}

    @property
    def awake(self) -> set[str]:
        """Those that were not."""
        return self._seen.keys() - self.now

    @property
    def never_led(self) -> set[str]:
        """Those that have been nothing else, at looks enough."""
        return {path for path, one in self._seen.items() if one.zeros >= ZERO_IS_SURE and not one.died}

    @property
    def dead(self) -> set[str]:
        """Those that have been nothing else, or for so long."""
        return self.never_led | {path for path, one in self._seen.items() if one.zeros >= DEAD_IS_SURE}

    @property
    def cut_off(self) -> bool:
        """Whether the first half of the model's layers has died: what is passed over now and then lies side by side."""
        layers = [one for path, one in self._seen.items() if not path.endswith("bias")]
        return bool(layers) and all(one.died and one.zeros >= DYING for one in layers[: (len(layers) + 1) // 2])

    @property
    def alive(self) -> set[str]:
        """Those that have been anything else."""
        return {path for path, one in self._seen.items() if one.died}

    def until(self, paths: set[str]) -> int:
        """Return the last step at which any of these was anything else; 0 where one never was."""
        steps = [self[path].alive for path in paths]
        return max(steps) if steps and all(steps) else 0
