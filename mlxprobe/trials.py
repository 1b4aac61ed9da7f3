"""Run a program under one intervention after the other."""

from __future__ import annotations

from collections.abc import Sequence

import mlxprobe
from mlxprobe.agent.shared import WITH_VARIABLE
from mlxprobe.isolation import ISOLATION_SCHEMA_VERSION, Isolation, Trial
from mlxprobe.model import Environment, Program
from mlxprobe.record import now
from mlxprobe.runner import Listener
from mlxprobe.settings import Settings
from mlxprobe.watching import Enough, Watch


class Trials:
    """The trials of one command, one at a time: they are to be compared in time and memory."""

    def __init__(self, name: str, command: tuple[str, ...], settings: Settings, steps: int, listener: Listener) -> None:
        self._name = name
        self._command = command
        self._settings = settings
        self._steps = steps
        self._listener = listener
        self._environment: Environment | None = None

    def run(self, names: Sequence[str], always: Sequence[str] = ()) -> Isolation:
        """Run the program as it is, then under each intervention; Ctrl-C keeps what there is."""
        trials: list[Trial] = []
        complete = True
        try:
            trials.append(self._trial("", ()))
            if always:
                trials.append(self._trial(" + ".join(always), always))
            trials += [self._trial(name, (*always, name)) for name in names]
        except KeyboardInterrupt:
            complete = False
            if not trials:
                raise
        assert self._environment is not None
        return Isolation(
            schema_version=ISOLATION_SCHEMA_VERSION,
            mlxprobe=mlxprobe.__version__,
            time=now(),
            environment=self._environment,
            program=self._name,
            trials=tuple(trials),
            always=tuple(always),
            complete=complete,
        )

    def _trial(self, name: str, applied: Sequence[str]) -> Trial:
        label = name or "as it is"
        program = Program(
            name=self._name,
            command=self._command,
            device=self._settings.device,
            env={WITH_VARIABLE: ",".join(applied)},
        )
        watch = Watch(program, self._settings, Enough(steps=self._steps))
        watch.shown = lambda watcher: self._listener.moved(label, watcher.log, watcher.silent_s)
        self._listener.started(label)
        seen = watch.run()
        self._environment = watch.environment
        self._listener.ended(label, seen)
        return Trial(name=name, seen=seen)
