"""Executors of programs, and their environments with MLX."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import msgspec

from mlxprobe.releases.environments import provide
from mlxprobe.releases.index import CURRENT, Release
from mlxprobe.runner.runner import Listener
from mlxprobe.runner.schedule import Pool
from mlxprobe.schema.errors import UsageError
from mlxprobe.schema.observation import Environment
from mlxprobe.settings.table import Settings
from mlxprobe.supervisor.interpreter import on_device


class Place(Pool):
    """An executor of programs: `width` run at a time, all end once `stop` is set, `name` identifies it."""

    name = ""
    width: int
    stop: threading.Event
    settings: Settings

    def environment(self, release: Release) -> Environment:
        """Return the environment with a release there, made if need be; raises as `environment_here` does."""
        raise NotImplementedError


class Here(ThreadPoolExecutor, Place):
    """This process, whose threads each watch a program."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings.jobs)
        self.settings = settings
        self.width = settings.jobs
        self.stop = threading.Event()

    def environment(self, release: Release) -> Environment:
        return environment_here(release, self.settings)


def environment_here(release: Release, settings: Settings) -> Environment:
    """Return this machine's environment with a release, made if need be, for the device that was asked for.

    Raises:
        NoWheelError: the index has no wheel of the release for this platform.
        BrokenReleaseError: the release installs, and does not import.
        ProbeError: the release cannot be installed.
        UsageError: its MLX has no such device here.
    """
    if release.name == CURRENT:
        release = msgspec.structs.replace(release, python=sys.executable)
    return on_device(provide(release, settings.requirements), settings.device)


@contextmanager
def stopping(stop: threading.Event) -> Iterator[None]:
    """End what runs at an interrupt, before anything waits for it."""
    try:
        yield
    except KeyboardInterrupt:
        stop.set()
        raise


@contextmanager
def places(settings: Settings, listener: Listener) -> Iterator[list[Place]]:
    """Yield where programs are to run: here, or each kind of worker of the cluster that the settings name.

    Raises:
        UsageError: no scheduler answers, or it has no worker for these programs.
    """
    if settings.on is None:
        with Here(settings) as here, stopping(here.stop):
            yield [here]
        return
    from mlxprobe.cluster.cluster import connected

    with connected(settings.on, settings, listener) as found:
        yield found


@contextmanager
def place(settings: Settings, listener: Listener) -> Iterator[Place]:
    """Yield the one place where programs are to run; raises as `places` does, and where there are several."""
    with places(settings, listener) as found:
        if settings.on and len(found) > 1:
            names = [one.name for one in found]
            advice = f"name one of them, as {settings.on.given}/{names[0]}"
            raise UsageError(f"--on {settings.on.given}: its workers offer {', '.join(names)}; {advice}")
        yield found[0]
