"""Compare weights about to be loaded with the module that is to take them."""

from __future__ import annotations

from collections import Counter
from typing import Any

from mlxprobe.agent.graph import lazy_graph
from mlxprobe.agent.introspection import lora_detection
from mlxprobe.protocol.facts.files import WeightsDiffer

LISTED = 5
MANY = 4


def differences(
    module: Any, given: dict[str, Any], *, strict: bool, partial: bool, first: bool
) -> WeightsDiffer | None:
    """Return what of the weights does not fit a module, and what of it they leave as it is; None where all fits.

    Keys that a file has beyond the module are a mistake where they are the module's own under another prefix
    (`renamed`); where there are as many arrays of the same shapes on both sides, they `resemble` each other.
    """
    own: dict[str, Any] = dict(lazy_graph.named_leaves(module.parameters()))
    extra, missing = sorted(given.keys() - own.keys()), sorted(own.keys() - given.keys())
    shape = [
        f"{key}: {tuple(given[key].shape)} for {tuple(own[key].shape)}"
        for key in sorted(own.keys() & given.keys())
        if tuple(given[key].shape) != tuple(own[key].shape)
    ]
    renamed = pairs({key: given[key] for key in extra}, {name: own[name] for name in missing})
    trained = {path for path, _ in lazy_graph.named_leaves(module.trainable_parameters())}
    if not (shape or (missing if strict else trained & set(missing)) or extra):
        return None
    return WeightsDiffer(
        partial=partial,
        first=first,
        strict=strict,
        ranks=shortened(ranks(module, given)) if shape else (),
        taken=len(own) - len(missing),
        of=len(own),
        left=len(trained & set(missing)),
        resemble=resemble([given[key] for key in extra], [own[name] for name in missing]),
        missing=shortened(missing),
        extra=shortened(extra),
        shape=shortened(shape),
        renamed=shortened(renamed),
    )


def shortened(keys: list[str]) -> tuple[str, ...]:
    """Return the first, and a sign that there are more."""
    return (*keys[:LISTED], *["…"] * (len(keys) > LISTED))


def ranks(module: Any, given: dict[str, Any]) -> list[str]:
    """List adapters whose factors come with another rank; empty where anything else has another shape too."""
    found, known = [], set()
    for one in lora_detection.find(module):
        shapes = [tuple(given[part.path].shape) for part in one.factors if part.path in given]
        if len(shapes) == len(one.factors) and lora_detection.multiply(shapes[0], shapes[1], one.base.shape, True):
            known |= {part.path for part in one.factors}
            found += [f"{one.path}: rank {shapes[0][-1]} for {one.rank}"] if shapes[0][-1] != one.rank else []
    own = dict(lazy_graph.named_leaves(module.parameters()))
    others = [key for key in own.keys() & given.keys() - known if tuple(given[key].shape) != tuple(own[key].shape)]
    return [] if others else found


def pairs(extra: dict[str, Any], missing: dict[str, Any]) -> list[str]:
    """List the keys that are names of the module's but for a prefix on either side, with arrays of one shape."""
    ends = {end: name for name in missing for end in (name, *endings(name))}
    return [
        f"{key} for {ends[end]}"
        for key in extra
        for end in (key, *endings(key))
        if end in ends
        and (end == key or end == ends[end])
        and tuple(extra[key].shape) == tuple(missing[ends[end]].shape)
    ]


def endings(path: str) -> list[str]:
    """List what is left of a dotted path without its first parts; at least two parts are."""
    parts = path.split(".")
    return [".".join(parts[k:]) for k in range(1, len(parts) - 1)]


def resemble(extra: list[Any], missing: list[Any]) -> bool:
    """Tell whether each of many missing arrays has its like among those that nothing takes."""
    wanted = Counter(tuple(one.shape) for one in missing)
    return len(missing) >= MANY and not wanted - Counter(tuple(one.shape) for one in extra)
