"""Runners for releases: what programs are run by, one release or several side by side."""

from __future__ import annotations

import threading

from mlxprobe.cluster.executor import Place
from mlxprobe.releases import index
from mlxprobe.releases.index import Release, parse_one
from mlxprobe.runner.runner import Listener, Runner
from mlxprobe.schema.errors import BrokenReleaseError, NoWheelError, ProbeError, UnmetRequirementError, UsageError


class Runners:
    """Make runners that share a place and a listener."""

    def __init__(self, place: Place, listener: Listener) -> None:
        self.place = place
        self._listener = listener

    @property
    def stop(self) -> threading.Event:
        """What ends all of them."""
        return self.place.stop

    def runner(self, spec: str) -> Runner:
        """Return the runner of the release that a user named.

        Raises:
            UsageError: there is no such release.
            NoWheelError: there is, and no wheel of it for that platform.
            BrokenReleaseError: it installs there, and does not import.
            ProbeError: it cannot be installed.
        """
        release = parse_one(spec, index.listed)
        try:
            return self.of(release)
        except (UsageError, NoWheelError, UnmetRequirementError, BrokenReleaseError):
            raise
        except ProbeError as error:
            if release.version and index.NO_VERSION in str(error):
                _check_listed(release.version, error)
            raise

    def baseline(self, spec: str) -> Runner:
        """Return the runner of the release that others are compared with, as `runner` does.

        Raises:
            ProbeError: it does not import, which says nothing about the others.
        """
        try:
            return self.runner(spec)
        except BrokenReleaseError as error:
            raise ProbeError(f"{error}; there is no baseline to compare with") from None

    def of(self, release: Release) -> Runner:
        """Return the runner of a release, its environment built if need be."""
        here = self.place.environment(release)
        label = f"[{' '.join(filter(None, (here.mlx, self.place.name)))}] "
        return Runner(self.place.settings, here, self._listener, self.stop, label)

    def current(self) -> Runner:
        """Return the runner of the MLX that mlxprobe itself runs on."""
        (release,) = index.parse(index.CURRENT, index.listed)
        found = self.place.environment(release)
        return Runner(self.place.settings, found, self._listener, self.stop)


def _check_listed(version: str, error: ProbeError) -> None:
    """Find out whether a release exists that could not be installed.

    Raises:
        UsageError: it does not.
        ProbeError: the index does not say; `error` again, which is why it could not be installed.
    """
    try:
        known = index.listed()
    except ProbeError:
        raise error from None
    if version not in known:
        raise UsageError(f"there is no release {version} of MLX; the index has {', '.join(known)}") from None
