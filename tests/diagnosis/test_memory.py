"""What is said of the cache, and of arrays that become more: the rules on series."""

import pytest
from making import seen

from mlxprobe.diagnosis import RULES
from mlxprobe.protocol.facts.memory import BuffersHeld, CacheUnbounded
from mlxprobe.schema.enums import Severity
from mlxprobe.schema.observation import MlxSample, Observation, Sample, Sighting, Step
from mlxprobe.schema.record import Finding
from mlxprobe.schema.run_summary import Optimizer, Sheet

MB = 1_000_000
FREE = {f"8×{length} int32": 1 for length in (71, 88, 130, 345)}
PADDED = {f"8×{length} int32": 1 for length in (64, 128, 192, 384)}


def run(cache_mb: list[float], batches: dict[str, int], peak_mb: int = 20, active_mb: float = 1.0) -> Observation:
    """Return a run whose cache had these sizes, step by step; its arrays grow by `active_mb` in all."""
    count = len(cache_mb)
    steps = tuple(
        Step(n=n, t_s=0.1 * n, step_s=0.1, pending=0, active_bytes=round(MB * (1 + active_mb * n / count)))
        for n in range(1, count + 1)
    )
    memory = tuple(
        MlxSample(t_s=0.1 * n, active_bytes=MB, cache_bytes=round(MB * one), peak_bytes=peak_mb * MB)
        for n, one in enumerate(cache_mb, 1)
    )
    return seen(steps=steps, memory=memory, sheet=Sheet(batches=batches))


def found(code: str, observed: Observation) -> list[Finding]:
    return list(RULES[code].detect(observed))


GROWING = [4.0 * n for n in range(128)]
CACHES = [
    ("lengths that never come back", run(GROWING, FREE), [Severity.WARNING]),
    ("twice the peak", run(GROWING, FREE, peak_mb=200), [Severity.NOTE]),
    ("less than that", run(GROWING, FREE, peak_mb=400), []),
    ("padded lengths that have not come back yet", run(GROWING, PADDED), [Severity.NOTE]),
    ("one length", run([300.0] * 128, {"8×64 int32": 9}), []),
    ("buckets that have come back", run([min(300.0, 30.0 * n) for n in range(128)], PADDED), []),
    ("a limit", run([min(60.0, 4.0 * n) for n in range(128)], FREE), []),
    ("cleared every twenty steps", run([20.0 * (n % 20) for n in range(128)], FREE), []),
    ("the cache of the CPU", run([min(33.0, 4.0 * n) for n in range(128)], FREE), []),
    ("arrays grow too", run(GROWING, FREE, active_mb=300.0), []),
    ("too few steps", run(GROWING[:48], FREE), []),
]


@pytest.mark.parametrize(("observed", "right"), [case[1:] for case in CACHES], ids=[case[0] for case in CACHES])
def test_growth_of_the_cache(observed: Observation, right: list[Severity]) -> None:
    assert [one.severity for one in found("MP113", observed)] == right


def test_the_lengths_and_the_figures_are_told() -> None:
    (one,) = found("MP113", run(GROWING, FREE))
    assert "its batches had lengths such as 71, 88, 130, 345" in one.message
    assert one.evidence["bytes_per_step"] == pytest.approx(4.0 * MB, rel=0.1)


def process(
    held_mb: list[float], *, sightings: tuple[Sighting[CacheUnbounded], ...] = (), arrays_mb: float = 0.0
) -> Observation:
    """Return a run whose process held so much beside MLX's arrays, step by step; the arrays grow by some in all."""
    observed = run([0.0] * len(held_mb), FREE, active_mb=arrays_mb)
    memory = tuple(
        MlxSample(t_s=step.t_s, active_bytes=step.active_bytes, cache_bytes=0, peak_bytes=step.active_bytes)
        for step in observed.steps
    )
    samples = tuple(
        Sample(t_s=one.t_s, rss_bytes=round(MB * held) + one.active_bytes, cpu_s=0.0)
        for held, one in zip(held_mb, memory, strict=True)
    )
    return seen(steps=observed.steps, memory=memory, samples=samples, sightings=sightings)


ENDLESS = Sighting(fact=CacheUnbounded(function="crop", results=900, hits=3), file="a.py", line=9)
PROCESSES = [
    ("to the end", process([50 + 2.0 * n for n in range(128)]), [Severity.NOTE]),
    (
        "by a cache that is never asked",
        process([50 + 2.0 * n for n in range(128)], sightings=(ENDLESS,)),
        [Severity.WARNING],
    ),
    ("a cache of little", process([50.0] * 128, sightings=(ENDLESS,)), []),
    ("up to its middle", process([50 + 4.0 * min(n, 64) for n in range(128)]), []),
    ("ever less", process([350 - 300 * 0.97**n for n in range(128)]), []),
    ("in one jump", process([50.0 + 200 * (n > 90) for n in range(128)]), []),
    ("by little", process([50 + 0.5 * n for n in range(128)]), []),
    ("with the arrays", process([50.0] * 128, arrays_mb=900.0), [Severity.WARNING]),
    ("too few steps", process([50 + 9.0 * n for n in range(48)]), []),
]


@pytest.mark.parametrize(("observed", "right"), [case[1:] for case in PROCESSES], ids=[case[0] for case in PROCESSES])
def test_growth_of_the_process(observed: Observation, right: list[Severity]) -> None:
    assert [one.severity for one in found("MP103", observed)] == right


def test_the_function_that_keeps_all_is_named() -> None:
    (one,) = found("MP103", process([50 + 2.0 * n for n in range(128)], sightings=(ENDLESS,)))
    assert (one.file, one.line) == ("a.py", 9) and "`crop` keeps all 900 results of its calls" in one.message
    assert one.evidence["bytes_per_step"] == pytest.approx(2.0 * MB, rel=0.1)


def buffers(
    step: int = 64, span: int = 0, *, traced_per_step: float = 18.0, most_traced: int = 0, metal: bool = False
) -> Observation:
    """Return a run with what the agent tells of buffers: 18 more at each step, by traces."""
    fact = BuffersHeld(
        kept=100, traced=18 * step, pending=0, kept_per_step=0.0, traced_per_step=traced_per_step,
        pending_per_step=0.0, per_trace=18, most_traced=most_traced, limit=499_000, metal=metal,
    )  # fmt: skip
    sheet = Sheet(optimizers=(Optimizer(name="AdamW", span=span),))
    return seen(sightings=(Sighting(fact=fact, step=step),), sheet=sheet)


COUNTS = [
    ("a schedule as long", buffers(step=64, traced_per_step=490.0, span=2000), [Severity.WARNING]),
    ("nobody knows how long", buffers(step=64, traced_per_step=490.0), [Severity.NOTE]),
    ("too little was seen of it", buffers(step=64), []),
    ("enough was", buffers(step=600), [Severity.NOTE]),
    ("few lengths are left", buffers(step=600, most_traced=40_000), []),
    ("enough are left", buffers(step=600, most_traced=600_000), [Severity.NOTE]),
    ("one array a step", buffers(step=5000, traced_per_step=1.0), []),
    ("it has come to a rest", buffers(step=600, traced_per_step=0.0), []),
]


@pytest.mark.parametrize(("observed", "right"), [case[1:] for case in COUNTS], ids=[case[0] for case in COUNTS])
def test_the_number_of_buffers(observed: Observation, right: list[Severity]) -> None:
    assert [one.severity for one in found("MP114", observed)] == right


def test_where_it_ends_is_told_by_the_system() -> None:
    assert "on a Mac this run would end near step 27,717" in found("MP114", buffers(step=600))[0].message
    assert "this run ends near" in found("MP114", buffers(step=600, metal=True))[0].message
