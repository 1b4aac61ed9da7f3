"""For people who call `mlx_lm.tuner.train` themselves: a training callback that has the process watched.

`train(..., training_callback=WatchCallback())` is all; `mlxprobe watch -m mlx_lm lora ...` needs none. MLX LM is not
imported here: what counts is the form of its `TrainingCallback`.
"""

from __future__ import annotations

from types import TracebackType
from typing import Any

from mlxprobe.api import Seen
from mlxprobe.runner.sidecar import enable, present, stop


class WatchCallback:
    """Watch from here on, until `end`, or the end of the process; the report comes on stderr then.

    Args:
        wrapped_callback: another callback, which is told all that this one is.
        stall_s: seconds without progress that are told, as of `mlxprobe.enable`.

    Attributes:
        losses: iteration and training loss, as MLX LM reports them: means over the iterations since its last report.
        val_losses: iteration and validation loss.
        seen: what was seen, once `end` was called.

    Raises:
        ProbeError: the process that watches could not be started.
    """

    def __init__(self, wrapped_callback: Any = None, *, stall_s: float | None = None) -> None:
        self._wrapped = wrapped_callback
        self.losses: list[tuple[int, float]] = []
        self.val_losses: list[tuple[int, float]] = []
        self.seen = Seen()
        self._is_ours = present() is None  # else another caller started it and gets its report
        enable(stall_s=stall_s)

    def on_train_loss_report(self, train_info: dict[str, Any]) -> None:
        """Take in a training loss."""
        self.losses.append((int(train_info["iteration"]), float(train_info["train_loss"])))
        if self._wrapped is not None:
            self._wrapped.on_train_loss_report(train_info)

    def on_val_loss_report(self, val_info: dict[str, Any]) -> None:
        """Take in a validation loss."""
        self.val_losses.append((int(val_info["iteration"]), float(val_info["val_loss"])))
        if self._wrapped is not None:
            self._wrapped.on_val_loss_report(val_info)

    def end(self) -> Seen:
        """Stop watching; return the run, or nothing where another caller started the watch."""
        if self._is_ours:
            self._is_ours = False
            self.seen.take(stop(), log=False)
        return self.seen

    def __enter__(self) -> WatchCallback:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()
