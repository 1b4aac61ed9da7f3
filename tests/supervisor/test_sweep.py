"""Who is killed where no warden can end a program's tree: what it marked, and nobody else."""

from __future__ import annotations

import os

import pytest

from mlxprobe.supervisor.sweep import _marked


def test_a_session_that_is_not_known_is_nobodys(monkeypatch: pytest.MonkeyPatch) -> None:
    """What enters a container from outside has the session 0 there."""
    monkeypatch.setattr(os, "getsid", lambda _: 0)
    assert list(_marked("/nowhere", 0)) == []


def test_a_session_that_is_known_is_the_programs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getsid", lambda pid: 7 if pid == os.getpid() else 8)
    assert [process.pid for process in _marked("/nowhere", 7)] == [os.getpid()]
