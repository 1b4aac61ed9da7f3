"""What could not be judged, and why: a detector that did not see what it needs never counts as healthy."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import PurePath

from mlxprobe.diagnosis.learning import ENOUGH_LOSSES
from mlxprobe.diagnosis.registry import RULES
from mlxprobe.values.observation import Observation
from mlxprobe.values.record import Finding
from mlxprobe.values.vocabulary import Severity


def unchecked(seen: Observation) -> tuple[Finding, ...]:
    """Return a finding with `checked=False` for every rule that could not be judged; its message is the reason."""
    return tuple(_told(seen))


def _told(seen: Observation) -> Iterator[Finding]:
    failed = {str(fact.detail["inspector"]): str(fact.detail["error"]) for fact in seen.facts if _failed(fact.name)}
    for rule in (RULES[code] for code in sorted(RULES) if RULES[code].needs):
        inspector, missing = NEEDS[rule.needs]
        why = f"the inspector failed: {failed[inspector]}" if inspector in failed else missing(seen)
        if why:
            yield Finding(code=rule.code, name=rule.name, severity=Severity.NOTE, message=why, checked=False)
    beside = {inspector: f"the inspector failed: {error}" for inspector, error in failed.items()}
    for fact in [one for one in seen.facts if one.name == "not called again"]:
        beside["Dependence"] = str(fact.detail["why"])
    for code, why in [(code, beside[one]) for one in SEES if one in beside for code in SEES[one].split()]:
        yield Finding(code=code, name=RULES[code].name, severity=Severity.NOTE, message=why, checked=False)


def _failed(name: str) -> bool:
    return name == "inspector failed"


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
    known = len(seen.losses)
    return "" if known >= ENOUGH_LOSSES else f"{known} losses were evaluated; a trend needs {ENOUGH_LOSSES}"


def _next_tokens(seen: Observation) -> str:
    if not _has(seen, "targets follow inputs") or _has(seen, "causality"):
        of_ids = any("×" in one and "int" in one for one in seen.sheet.batches)
        return _ids(seen) if of_ids or _outside(seen) else ""
    why = next((str(fact.detail["why"]) for fact in seen.facts if fact.name == "loss not called again"), "")
    return why or "the model's call could not be repeated with another id"


# Which rules an inspector sees something for that can be seen beside others' work: told where it has failed.
SEES: dict[str, str] = {
    "Accumulation": "MP203 MP204",
    "AdapterFiles": "MP403",
    "Adapters": "MP211",
    "Bands": "MP312",
    "Buffers": "MP114",
    "Caches": "MP103",
    "Checkpoints": "MP402",
    "Clipping": "MP212",
    "Copies": "MP205",
    "Data": "MP309",
    "Dependence": "MP305 MP312",
    "Draws": "MP503",
    "Dropped": "MP205",
    "Fusing": "MP405",
    "Hidden": "MP213",
    "Initials": "MP205",
    "Layouts": "MP305",
    "Modules": "MP214 MP215",
    "Norms": "MP216",
    "Operations": "MP110 MP111 MP112",
    "Outcomes": "MP308",
    "Pairs": "MP309",
    "Places": "MP309",
    "Parameters": "MP205",
    "Passes": "MP215",
    "Rates": "MP210",
    "Ratios": "MP309",
    "Renewals": "MP402",
    "Repeats": "MP203",
    "Scales": "MP311",
    "Shares": "MP308",
    "Sizes": "MP109",
    "Sources": "MP314",
    "Supply": "MP313",
    "Slips": "MP305 MP311",
    "Swallows": "MP205",
    "Takes": "MP302",
    "Ties": "MP218",
    "Twins": "MP309",
    "Unclipped": "MP212",
    "Units": "MP217",
    "Written": "MP404",
}

# What a rule needs, which inspector sees it, and why it may be missing.
NEEDS: dict[str, tuple[str, Callable[[Observation], str]]] = {
    "gradients": ("Gradients", _gradients),
    "updates": ("Frozen", lambda seen: "" if _has(seen, "first update") else "no optimizer updated anything"),
    "loss graph": ("Losses", lambda seen: "" if _has(seen, "loss graph") else "no loss was seen before its evaluation"),
    "ids": ("Indices", _ids),
    "next tokens": ("Causality", _next_tokens),
    "pending operations": ("Retained", lambda seen: "" if seen.steps else "no step was seen"),
    "losses": ("", _losses),
}
