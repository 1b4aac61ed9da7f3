"""The facts without which a rule cannot be judged, and the reason where they are missing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import PurePath

from mlxprobe.diagnosis.learning import ENOUGH_LOSSES
from mlxprobe.protocol.facts.compilation import NotLookedInside
from mlxprobe.protocol.facts.data import IdsSeen, TargetsFollowInputs
from mlxprobe.protocol.facts.gradients import FirstGradient, NotLookedAt
from mlxprobe.protocol.facts.losses import LossGraphSeen
from mlxprobe.protocol.facts.models import CausalityTested, LossNotRepeated
from mlxprobe.protocol.facts.updates import FirstUpdate
from mlxprobe.schema.metrics import counted, steps_done
from mlxprobe.schema.observation import Observation


def _gradients(seen: Observation) -> str:
    if any(step.gradient is not None for step in seen.steps):
        return ""
    if seen.has(NotLookedAt):
        return "the gradients were never evaluated"
    if seen.has(FirstGradient):
        return _outside(seen) or "no gradient could be read"
    return "no gradient call was seen; inside a compiled function there is none to see" if seen.steps else "no step"


def _ids(seen: Observation) -> str:
    if seen.has(IdsSeen):
        return ""
    return _outside(seen) or ("" if _has_none(seen) else "no ids were seen, of an embedding or as targets")


def _has_none(seen: Observation) -> bool:
    """Tell whether a program has no ids: its loss was read, its batches are of other numbers, no layer takes any."""
    model, batches = seen.sheet.model, seen.sheet.batches
    tables = model is not None and (model.classes or any("Embedding" in kind for kind in model.kinds))
    numbers = bool(batches) and not any("int" in one for one in batches)
    return seen.has(LossGraphSeen) and numbers and not tables


def _outside(seen: Observation) -> str:
    """Say which compiled function could not be looked into, and why."""
    for fact, at in seen.every(NotLookedInside):
        place = f" of {PurePath(at.file).name}:{at.line}" if at.file else ""
        return f"could not look inside the compiled function{place}: {fact.why}"
    return ""


def _losses(seen: Observation) -> str:
    known = max(Counter(one.stream for one in seen.losses).values(), default=0)
    updates = steps_done(seen) if seen.has(FirstUpdate) else ENOUGH_LOSSES
    if known >= ENOUGH_LOSSES and updates >= ENOUGH_LOSSES:
        return ""
    few = f"{known} {'loss' if known == 1 else 'losses'} of a model {'is' if known == 1 else 'are'} known"
    few = (
        few
        if known < ENOUGH_LOSSES
        else f"{counted(updates, 'update')} {'was' if updates == 1 else 'were'} seen to be complete"
    )
    return f"whether the loss falls: only {few}, and a trend needs {ENOUGH_LOSSES}"


def _next_tokens(seen: Observation) -> str:
    if not seen.has(TargetsFollowInputs) or seen.has(CausalityTested):
        of_ids = any("×" in one and "int" in one for one in seen.sheet.batches)
        return _ids(seen) if of_ids or _outside(seen) else ""
    why = next((fact.why for fact, _ in seen.every(LossNotRepeated)), "")
    return why or "the model's call could not be repeated with another id"


# By what a rule needs: why it is missing from an observation; empty where it is not.
NEEDS: dict[str, Callable[[Observation], str]] = {
    "gradients": _gradients,
    "updates": lambda seen: "" if seen.has(FirstUpdate) else "no optimizer of MLX updated anything",
    "loss graph": lambda seen: "" if seen.has(LossGraphSeen) else "no loss was seen before its evaluation",
    "ids": _ids,
    "next tokens": _next_tokens,
    "pending operations": lambda seen: "" if seen.steps else "no step was seen",
    "losses": _losses,
}
