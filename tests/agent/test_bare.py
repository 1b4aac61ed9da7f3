"""A module of mlxprobe's own in a watched process: it computes where it was told to, and nothing is hooked."""

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import mlx.core as mx
import pytest

from mlxprobe.agent.lifecycle import main
from mlxprobe.agent.wire.constants import DEVICE_VARIABLE


class Heard:
    """A channel that keeps what it is told."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def send(self, name: str, **_: Any) -> None:
        self.names.append(name)


@pytest.mark.parametrize("device", ["", "cpu", "gpu"])
def test_it_computes_on_the_device_that_was_asked_for(
    device: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module, heard = ModuleType("to_be_run"), Heard()
    devices: list[mx.Device] = []
    module.main = lambda words, moved: moved(len(words))  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "to_be_run", module)
    monkeypatch.setenv(DEVICE_VARIABLE, device)
    monkeypatch.setattr(mx, "set_default_device", devices.append)
    monkeypatch.setattr(main, "keep_stacks", lambda *_, **__: None)
    assert main.run(["to_be_run", "word"], heard, str(tmp_path)) == 0  # type: ignore[arg-type]
    assert devices == ([mx.Device(getattr(mx, device))] if device else [])
    assert heard.names == ["process", "begin", "body", "tick", "end"]
