"""What is expected of a variant on this MLX and device: pure."""

from __future__ import annotations

from collections.abc import Mapping

from packaging.specifiers import SpecifierSet
from packaging.version import Version

from mlxprobe.catalogue.declaration import Expected, Scenario, Variant
from mlxprobe.schema.enums import Outcome
from mlxprobe.schema.errors import UsageError
from mlxprobe.schema.observation import Environment
from mlxprobe.schema.record import Expectation

# On a GPU the same loop, evaluated at other places, sums in another order: up to 0.014 apart after fifty steps on CUDA.
GPU_TOLERANCE = 3e-2


def expectation_of(scenario: Scenario, variant: Variant, environment: Environment) -> Expectation:
    """Resolve a declaration for the environment at hand.

    Raises:
        UsageError: the conditions of `expects` cover neither this release nor this device.
    """
    expects = expected_outcome(variant.expects, environment)
    here = not variant.found_on or any(holds(one, environment) for one in variant.found_on)
    finds = here and (expects is not Outcome.PASS or not isinstance(variant.expects, Mapping))
    return Expectation(
        role=variant.role,
        claims=variant.claims,
        expects=expects,
        raises=variant.raises if expects is Outcome.ERROR else "",
        finds=variant.finds if finds else (),
        tolerance=max(scenario.tolerance, GPU_TOLERANCE) if environment.device == "gpu" else scenario.tolerance,
        slow_factor=scenario.slow_factor,
        comparable=variant.comparable,
    )


def expected_outcome(expects: Expected, environment: Environment) -> Outcome:
    """Return the outcome of the first condition that holds; see `holds` for their form."""
    if isinstance(expects, Outcome):
        return expects
    for condition, outcome in expects.items():
        if holds(condition, environment):
            return outcome
    raise UsageError(f"expects covers neither MLX {environment.mlx} nor {environment.device}: {dict(expects)}")


def holds(condition: str, environment: Environment) -> bool:
    """Check whether every word of a condition holds: a device (`cpu`, `gpu`), `mlx<0.32`, or `else`."""
    return all(_word_holds(word, environment) for word in condition.split())


def _word_holds(word: str, environment: Environment) -> bool:
    if word == "else":
        return True
    if word.startswith("mlx"):
        return Version(environment.mlx) in SpecifierSet(word[3:], prereleases=True)
    return word == environment.device
