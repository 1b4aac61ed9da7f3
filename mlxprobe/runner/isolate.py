"""Run a program under one intervention after the other."""

from __future__ import annotations

from collections.abc import Sequence

import mlxprobe
from mlxprobe.agent.wire.constants import WITH_VARIABLE
from mlxprobe.runner.isolation_result import AND, ISOLATION_SCHEMA_VERSION, Isolation, Trial, known_names, plausible
from mlxprobe.runner.runner import Listener, doing
from mlxprobe.runner.watch_session import Enough, Watch
from mlxprobe.schema.merge_ranks import whole
from mlxprobe.schema.observation import Environment, Program
from mlxprobe.schema.record_io import now
from mlxprobe.settings.table import Settings


class Trials:
    """The trials of one command, one at a time: they are to be compared in time and memory."""

    def __init__(self, name: str, command: tuple[str, ...], settings: Settings, steps: int, listener: Listener) -> None:
        self._name = name
        self._command = command
        self._settings = settings
        self._steps = steps
        self._listener = listener
        self._environment: Environment | None = None
        self._trials: list[Trial] = []

    def run(self, names: Sequence[str] | None, always: Sequence[str] = ()) -> Isolation:
        """Run the program as it is, then under each intervention, then under pairs of them where none cures it.

        Without names it is those that may take away what is found. Ctrl-C keeps what there is.
        """
        self._trials.clear()
        complete = True
        try:
            self._try("", ())
            if always:
                self._try(AND.join(always), always)
            for name in plausible(self._trials[-1]) if names is None else names:
                if name not in always:
                    self._try(name, (*always, name))
            given = known_names() if names is None else names
            for pair in self._found(always).pairs([name for name in given if name not in always]):
                self._try(pair, (*always, *pair.split(AND)))
        except KeyboardInterrupt:
            complete = False
            if not self._trials:
                raise
        return self._found(always, complete=complete)

    def _found(self, always: Sequence[str], *, complete: bool = True) -> Isolation:
        assert self._environment is not None
        return Isolation(
            schema_version=ISOLATION_SCHEMA_VERSION,
            mlxprobe=mlxprobe.__version__,
            time=now(),
            environment=self._environment,
            program=self._name,
            trials=tuple(self._trials),
            always=tuple(always),
            complete=complete,
        )

    def _try(self, name: str, applied: Sequence[str]) -> None:
        label = name or "as it is"
        program = Program(
            name=self._name,
            command=self._command,
            device=self._settings.device,
            env={WITH_VARIABLE: ",".join(applied)},
        )
        watch = Watch(program, self._settings, Enough(steps=self._steps))
        watch.shown = lambda watcher: self._listener.moved(label, doing(watcher.log, watcher.silent_s))
        self._listener.started(label)
        seen = whole(watch.run())
        self._environment = watch.environment
        self._trials.append(Trial(name=name, seen=seen))
        self._listener.ended(label, seen)
