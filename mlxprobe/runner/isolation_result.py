"""Which change cures a program, and which but helps: pure. The agent applies them (see `agent.interventions`)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from mlxprobe.runner.interventions import INTERVENTIONS, Intervention
from mlxprobe.schema.enums import Severity
from mlxprobe.schema.observation import Environment, Value
from mlxprobe.schema.record import ProgramRecord

ISOLATION_SCHEMA_VERSION = 4  # of 1 the trials were rows of record version 1, of 2 of versions before 5, of 3 of 5
PAIRS = 3  # are tried at most
AND = " + "
OF_COMPILED = {"no-compile", "capture-random"}  # change nothing where nothing is compiled
HIDES = {"MP101": {"MP103", "MP105", "MP106"}}  # while nothing is evaluated, these cannot be detected


class Trial(Value, frozen=True):
    """The program under one intervention, or two (`a + b`); an empty name is the program as it is."""

    name: str
    seen: ProgramRecord

    @property
    def codes(self) -> set[str]:
        """The findings that are errors or warnings."""
        return {one.code for one in self.seen.findings if one.severity is not Severity.NOTE}

    @property
    def notes(self) -> set[str]:
        """The findings that are notes alone."""
        return {one.code for one in self.seen.findings} - self.codes

    @property
    def unseen(self) -> set[str]:
        """What could not be judged, and what other findings hide."""
        unchecked = {one.code for one in self.seen.unchecked}
        return unchecked.union(*(HIDES.get(code, set()) for code in self.codes))

    @property
    def applied(self) -> list[Intervention]:
        """What was changed."""
        return [intervention(name) for name in self.name.split(AND) if name]

    @property
    def clean(self) -> bool:
        """Whether it passes, and no error or warning is found."""
        return self.seen.completes and not self.codes


class Isolation(Value, frozen=True):
    """A program as it is, and under each intervention."""

    schema_version: int
    mlxprobe: str
    time: str
    environment: Environment
    program: str
    trials: tuple[Trial, ...]
    always: tuple[str, ...] = ()
    complete: bool = True

    @property
    def healthy(self) -> bool:
        """Whether no error or warning speaks against the program as it is."""
        return self.trials[0].clean

    @property
    def cure(self) -> Trial | None:
        """The smallest change after which the program passes, and nothing is found."""
        found = [] if self.healthy else [one for one in self.helpful if one.clean]
        return min(found, key=lambda one: len(one.applied), default=None)

    @property
    def helpful(self) -> list[Trial]:
        """What mends the outcome, or takes findings away, and makes nothing worse: the most helpful, smallest first."""
        found = [one for one in self.trials[1:] if one.applied and self.helps(one)]
        return sorted(found, key=lambda one: (not one.clean, len(one.codes), *map(INTERVENTIONS.index, one.applied)))

    @property
    def base(self) -> Trial:
        """What a trial is compared with: the program as it is, or with what is always applied."""
        return self.trials[min(1, len(self.trials) - 1) if self.always else 0]

    def helps(self, trial: Trial) -> bool:
        """Check whether interventions that may stay make the program better, and nothing worse, than without them."""
        first = self.trials[0] if trial is self.base else self.base
        if not trial.seen.completes and trial.seen.outcome is not first.seen.outcome:
            return False
        if not all(one.cures for one in trial.applied) or trial.codes - first.codes - first.unseen:
            return False
        mends = trial.seen.completes and not first.seen.completes
        return mends or bool(first.codes - trial.codes)

    def gone(self, trial: Trial) -> list[str]:
        """Return the codes that a trial took away."""
        return sorted(self.trials[0].codes - trial.codes)

    def shown(self, trial: Trial) -> list[str]:
        """Return the codes that only a trial shows."""
        return sorted(trial.codes - self.trials[0].codes)

    def pairs(self, names: Sequence[str]) -> list[str]:
        """Return the pairs of these worth a trial, where nothing cures: what helps, with what may take the rest."""
        single = [one for one in self.helpful if len(one.applied) == 1 and one is not self.base]
        if self.healthy or self.cure is not None:
            return []
        helping, tried = {one.name for one in single}, {one.name for one in self.trials}
        allowed = [one for one in INTERVENTIONS if one.cures and one.name in names]
        ranked = [
            (-len(trial.codes.intersection(one.takes)), one.name not in helping and one.name in tried, trial.name, one)
            for trial in single
            for one in allowed
            if one.name != trial.name and trial.codes.intersection(one.takes)
        ]
        ranked.sort(key=lambda row: row[:2])
        order = known_names()
        pairs = [AND.join(sorted((name, one.name), key=order.index)) for _, _, name, one in ranked]
        return list(dict.fromkeys(pairs))[:PAIRS]


def intervention(name: str) -> Intervention:
    """Return an intervention by its name."""
    return next(one for one in INTERVENTIONS if one.name == name)


def known_names() -> Sequence[str]:
    """Return the names of all interventions."""
    return [one.name for one in INTERVENTIONS]


def plausible(first: Trial) -> list[str]:
    """Return what may help a program that was seen as it is: those for most of its findings and outcome first."""
    signs = {*first.codes, *first.notes, str(first.seen.outcome)}
    compiles = bool(first.seen.sheet.traces) or any(code.startswith("MP5") for code in signs)
    may = [one for one in INTERVENTIONS if compiles or one.name not in OF_COMPILED]
    ranked = [(len(signs.intersection(one.takes)), one.name) for one in may]
    return [name for number, name in sorted(ranked, key=lambda pair: -pair[0]) if number]


def idle(codes: Iterable[str]) -> list[str]:
    """Return the codes for which no intervention is known."""
    takes = {code for one in INTERVENTIONS for code in one.takes}
    return sorted(set(codes) - takes)
