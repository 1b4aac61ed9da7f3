"""The facts without which a rule cannot be judged, and the reason where they are missing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import PurePath

from mlxprobe.diagnosis.learning import ENOUGH_LOSSES
from mlxprobe.values.measures import counted, steps_done
from mlxprobe.values.observation import Observation


def _has(seen: Observation, name: str) -> bool:
    return any(fact.name == name for fact in seen.facts)


def _gradients(seen: Observation) -> str:
    if any(step.gradient is not None for step in seen.steps):
        return ""
    if _has(seen, "not looked at"):
        return "the gradients were never evaluated"
    if _has(seen, "first gradient"):
        return _outside(seen) or "no gradient could be looked at"
    return "no gradient call was seen; inside a compiled function there is none to see" if seen.steps else "no step"


def _ids(seen: Observation) -> str:
    if _has(seen, "ids"):
        return ""
    return _outside(seen) or ("" if _has_none(seen) else "no embedding and no target was seen")


def _has_none(seen: Observation) -> bool:
    """Tell whether a program has no ids: its loss was read, its batches are of other numbers, no layer takes any."""
    model, batches = seen.sheet.model, seen.sheet.batches
    tables = model is not None and (model.classes or any("Embedding" in kind for kind in model.kinds))
    numbers = bool(batches) and not any("int" in one for one in batches)
    return _has(seen, "loss graph") and numbers and not tables


def _outside(seen: Observation) -> str:
    """Say which compiled function could not be looked into, and why."""
    for fact in (fact for fact in seen.facts if fact.name == "not looked inside"):
        place = f" of {PurePath(fact.file).name}:{fact.line}" if fact.file else ""
        return f"could not look inside the compiled function{place}: {fact.detail['why']}"
    return ""


def _losses(seen: Observation) -> str:
    known = max(Counter(one.stream for one in seen.losses).values(), default=0)
    updates = steps_done(seen) if _has(seen, "first update") else ENOUGH_LOSSES
    if known >= ENOUGH_LOSSES and updates >= ENOUGH_LOSSES:
        return ""
    few = f"{counted(known, 'value')} {'was' if known == 1 else 'were'} read"
    few = few if known < ENOUGH_LOSSES else f"{counted(updates, 'update')} {'was' if updates == 1 else 'were'} made"
    return f"whether the loss falls: only {few}, and a trend needs {ENOUGH_LOSSES}"


def _next_tokens(seen: Observation) -> str:
    if not _has(seen, "targets follow inputs") or _has(seen, "causality"):
        of_ids = any("×" in one and "int" in one for one in seen.sheet.batches)
        return _ids(seen) if of_ids or _outside(seen) else ""
    why = next((str(fact.detail["why"]) for fact in seen.facts if fact.name == "loss not called again"), "")
    return why or "the model's call could not be repeated with another id"


# By what a rule needs: why it is missing from an observation; empty where it is not.
NEEDS: dict[str, Callable[[Observation], str]] = {
    "gradients": _gradients,
    "updates": lambda seen: "" if _has(seen, "first update") else "no optimizer of MLX updated anything",
    "loss graph": lambda seen: "" if _has(seen, "loss graph") else "no loss was seen before its evaluation",
    "ids": _ids,
    "next tokens": _next_tokens,
    "pending operations": lambda seen: "" if seen.steps else "no step was seen",
    "losses": _losses,
}
