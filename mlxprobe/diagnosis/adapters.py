"""Findings about adapters: low-rank factors beside a base weight."""

from __future__ import annotations

from collections.abc import Iterator

from mlxprobe.protocol.facts.adapters import AdapterScale, AdapterWithBase, Fused, FusedNothing
from mlxprobe.protocol.facts.files import WeightsDiffer
from mlxprobe.rules.registry import finding, listed, rule, seen_at
from mlxprobe.schema.enums import Severity
from mlxprobe.schema.metrics import counted
from mlxprobe.schema.observation import Observation
from mlxprobe.schema.record import Finding

MOST_LOST = 0.5
MOST_NOISE = 0.71  # of the change's size: beyond, more than half of the energy in its place is wrong


@finding("MP211", "adapter-with-base", Severity.WARNING)
def adapter_with_base(seen: Observation) -> Iterator[Finding]:
    """The factors of an adapter are trained, and the base weight that their product is added to is trained as well.

    The base can learn all that its adapter can: nothing of low rank is left of the update, optimizer state and memory
    are those of full training, and an adapter's file that is loaded beside the original base gives another model.
    Whole layers that are trained beside adapters of other layers (a head, embeddings, norms) are no finding.

    Example: `linear_to_lora_layers(model, ...)` without `model.freeze()` before it.

    Use instead: `model.freeze()`, then the adapters; `mlx.utils.tree_flatten(model.trainable_parameters())` lists what
    will be trained.
    """
    for fact, at in seen.facts(AdapterWithBase):
        count = fact.count
        are = (
            "is trained together with its base weight" if count == 1 else "are trained together with their base weights"
        )
        message = (
            f"{counted(count, 'adapter')} of rank {fact.rank} {are} "
            f"({listed(fact.bases)}{', …' if count > len(fact.bases) else ''}): "
            f"{fact.elements:,} elements in addition to {fact.adapters:,}"
        )
        yield rule("MP211").at(message + seen_at(fact), at.file, at.line, adapters=count)


@finding("MP403", "adapter-scale")
def adapter_scale(seen: Observation) -> Iterator[Finding]:
    """An adapter's file is loaded into layers of another scale or rank than wrote it.

    The file holds two factors and not what their product is multiplied by: with another scale the adapter does too
    much or too little, and nothing says so. What the file was written with is known from the configuration beside it,
    from its own metadata, or from this run, which saved it. With `strict=False` layers take factors of another rank,
    and work with them; where the scale is an alpha divided by the rank, it is another one too.

    Example: `LoRALinear.from_base(layer, r=8)`, whose scale is the default, for an adapter trained with another.

    Use instead: build the layers from the rank and scale in `adapter_config.json`, and store both where there is none.
    """
    told = set()
    for fact, at in seen.facts(AdapterScale):
        message = f"{fact.file} was written with {fact.wrote} ({fact.source}), and is loaded into {fact.layers} layers "
        told.add((at.file, at.line))
        yield rule("MP403").at(f"{message}with a scale of {fact.has}", at.file, at.line)
    for fact, at in seen.facts(WeightsDiffer):
        if fact.ranks and (at.file, at.line) not in told and (seen.raised is not None or not fact.strict):
            message = f"an adapter's factors have another rank than the layers that take them: {listed(fact.ranks)}"
            severity = Severity.ERROR if fact.strict else Severity.WARNING
            yield rule("MP403").at(message, at.file, at.line, severity=severity)


@finding("MP405", "fused-away", Severity.WARNING)
def fused_away(seen: Observation) -> Iterator[Finding]:
    """Fusing an adapter into quantised weights erases most of it.

    A quantised weight moves in steps. Where an adapter's change is smaller than half a step, rounding takes it back,
    or makes nearly as much noise as the change is large, and the fused model is no better than before training. Both
    are measured on some rows of the first weights: how much of the change is left along itself, and how far the rest
    is off. Weights that are quantised again as they were, beside a trained adapter of theirs, have nothing of it.

    Example: `mlx_lm.fuse` of a lightly trained adapter into a 4-bit model.

    Use instead: `--dequantize` (or more bits) for the fused weights, or the adapter beside the quantised base.
    """
    for fact, at in seen.facts(Fused):
        lost, error = fact.lost, fact.error
        if max(lost / MOST_LOST, error / MOST_NOISE) <= 1:
            continue
        what = f"erases {min(lost, 1):.0%} of" if lost > MOST_LOST else f"adds noise {error:.2f} times the size of"
        message = (
            f"quantising the fused weights at {fact.bits} bits {what} what the adapter adds to them "
            f"(median of {fact.weights} weights)"
        )
        yield rule("MP405").at(message, at.file, at.line, lost=lost, error=error)
    for fact, at in seen.facts(FusedNothing):
        message = f"{fact.weights} weights are quantised again as they were: nothing of their adapters is in them"
        yield rule("MP405").at(message, at.file, at.line)
