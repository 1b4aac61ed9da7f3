"""Runners for releases: what `gate`, `matrix` and `bisect` put side by side."""

from __future__ import annotations

import threading

from mlxprobe.releases import index
from mlxprobe.releases.environments import NotInstallableError, UnmetRequirementError, provide
from mlxprobe.releases.index import Release, parse_one
from mlxprobe.running.runner import Listener, Runner
from mlxprobe.settings.table import Settings
from mlxprobe.values.errors import UsageError


class Runners:
    """Make runners that share settings, listener and the event that stops them all."""

    def __init__(self, settings: Settings, listener: Listener) -> None:
        self.settings = settings
        self.stop = threading.Event()
        self._listener = listener

    def runner(self, spec: str) -> Runner:
        """Return the runner of the release that a user named.

        Raises:
            UsageError: there is no such release.
            NotInstallableError: there is, but it cannot be installed here.
        """
        release = parse_one(spec, index.listed)
        try:
            return self.of(release)
        except UnmetRequirementError:
            raise
        except NotInstallableError:
            if release.version and release.version not in (known := index.listed()):
                raise UsageError(
                    f"there is no release {release.version} of MLX; the index has {', '.join(known)}"
                ) from None
            raise

    def of(self, release: Release) -> Runner:
        """Return the runner of a release, its environment built if need be."""
        here = provide(release, self.settings.requirements)
        return Runner(self.settings, here, self._listener, self.stop, label=f"[{here.mlx}] ")
