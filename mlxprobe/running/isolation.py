"""Which single change cures a program: pure. The agent applies them (see `agent.interventions`)."""

from __future__ import annotations

from collections.abc import Sequence

from mlxprobe.values.observation import Environment, Value
from mlxprobe.values.record import ProgramRecord
from mlxprobe.values.vocabulary import Outcome, Severity

ISOLATION_SCHEMA_VERSION = 2  # of 1 the trials were rows of record version 1


class Intervention(Value, frozen=True):
    """One change: what it does, and the code that does it for good. `cures` is False for one that only diagnoses."""

    name: str
    summary: str
    code: str
    cures: bool = True


# The smallest change first.
INTERVENTIONS = (
    Intervention(
        name="eval-update",
        summary="evaluate parameters and optimizer state after every update",
        code="# after optimizer.update(model, grads)\nmx.eval(model.parameters(), optimizer.state)",
    ),
    Intervention(
        name="eval-loss", summary="evaluate the loss after every gradient call", code="# or loss.item()\nmx.eval(loss)"
    ),
    Intervention(
        name="average",
        summary="divide accumulated gradients by their number",
        code="# before optimizer.update(model, grads)\ngrads = tree_map(lambda g: g / micro_batches, grads)",
    ),
    Intervention(
        name="clip",
        summary="clip the gradients' norm at 1",
        code="# before optimizer.update(model, grads)\ngrads, norm = optim.clip_grad_norm(grads, max_norm=1.0)",
    ),
    Intervention(
        name="reuse-gradients",
        summary="build nn.value_and_grad once",
        code="# before the loop\nloss_and_grad = nn.value_and_grad(model, loss_fn)",
    ),
    Intervention(
        name="clear-cache", summary="clear MLX's cache after every update", code="# after the update\nmx.clear_cache()"
    ),
    Intervention(
        name="no-compile", summary="disable mx.compile", code="# then mend the compiled function\nmx.disable_compile()"
    ),
    Intervention(
        name="spawn",
        summary="start workers anew instead of forking",
        code='# before the first worker\nmultiprocessing.set_start_method("spawn")',
    ),
    Intervention(name="cpu", summary="run on the CPU", code="mx.set_default_device(mx.cpu)", cures=False),
    Intervention(
        name="skip-update", summary="leave the update out", code="# nothing is learned: this only tells", cures=False
    ),
)


class Trial(Value, frozen=True):
    """The program under one intervention; an empty name is the program as it is."""

    name: str
    seen: ProgramRecord

    @property
    def codes(self) -> set[str]:
        """The findings that are errors or warnings."""
        return {one.code for one in self.seen.findings if one.checked and one.severity is not Severity.NOTE}


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
        """Whether there is nothing to cure."""
        first = self.trials[0]
        return first.seen.outcome is Outcome.PASS and not first.codes

    @property
    def cure(self) -> Trial | None:
        """The smallest change that mends the outcome, or takes findings away and adds none."""
        names = [one.name for one in INTERVENTIONS if one.cures]
        found = [one for one in self.trials[1:] if one.name in names and self.helps(one)]
        return min(found, key=lambda one: (len(one.codes), names.index(one.name)), default=None)

    def helps(self, trial: Trial) -> bool:
        """Tell whether an intervention makes the program better, and nothing worse, than without it."""
        has_base = self.always and len(self.trials) > 1 and trial is not self.trials[1]
        first = self.trials[1 if has_base else 0]
        if trial.seen.outcome is not Outcome.PASS or trial.codes - first.codes:
            return False
        return first.seen.outcome is not Outcome.PASS or trial.codes < first.codes


def intervention(name: str) -> Intervention:
    """Return an intervention by its name."""
    return next(one for one in INTERVENTIONS if one.name == name)


def known_names() -> Sequence[str]:
    """Return the names of all interventions."""
    return [one.name for one in INTERVENTIONS]
