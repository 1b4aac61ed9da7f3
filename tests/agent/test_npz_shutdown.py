"""Parts of archives that other threads hold when the program ends."""

import threading
import time
import zipfile
from pathlib import Path

import pytest

from mlxprobe.agent.lifecycle.agent import await_archives


@pytest.fixture
def archive(tmp_path: Path) -> zipfile.ZipFile:
    """Return an archive with one part."""
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as made:
        made.writestr("one", b"1")
    return zipfile.ZipFile(tmp_path / "a.npz")


def test_what_a_thread_lets_go_of_is_waited_for(archive: zipfile.ZipFile) -> None:
    held, may_go = [archive.open("one")], threading.Event()

    def hold() -> None:
        may_go.wait()
        held.clear()

    threading.Thread(target=hold).start()
    threading.Timer(0.05, may_go.set).start()
    archive.close()
    await_archives(within_s=600)
    assert not held


def test_what_the_program_keeps_is_not_waited_for_longer_than_allowed(archive: zipfile.ZipFile) -> None:
    kept = archive.open("one")
    began_s = time.monotonic()
    await_archives(within_s=0.05)
    assert time.monotonic() - began_s >= 0.05
    assert not kept.closed
