"""Metal's own facts: told on a Mac alone, and nothing of them where nobody has one."""

import msgspec
import pytest
from click.testing import CliRunner
from making import HERE, seen

from mlxprobe.cli import doctor, main
from mlxprobe.diagnosis import metal
from mlxprobe.protocol.facts.processes import OnMetal
from mlxprobe.reports.docs import errors
from mlxprobe.schema.observation import Observation, Sighting, Step
from mlxprobe.settings.table import resolve
from mlxprobe.verdict.remarks import remarks

M2 = {
    "max_buffer_length": 14_302_347_264,
    "max_recommended_working_set_size": 17_179_885_568,
    "memory_size": 25_769_803_776,
    "resource_limit": 499_000,
}
MAC = msgspec.structs.replace(HERE, device="gpu", devices=("cpu", "gpu"), device_limits=M2)


def took(*step_s: float) -> Observation:
    return seen(steps=tuple(Step(n=n, t_s=0.0, step_s=each) for n, each in enumerate(step_s, 1)))


def warned(made: Observation, *, on_metal: bool = True) -> list[str]:
    return [one.message for one in metal.long_steps(made, on_metal=on_metal)]


def test_a_step_of_many_seconds_is_warned_of() -> None:
    (told,) = warned(took(9, 9, 1, 5, 12.5, 1))
    assert told.startswith("2 of 6 steps took 5 s or longer, the longest 12.5 s (step 5): macOS ends")
    assert metal.NEVER_RUN in told


@pytest.mark.parametrize(
    ("made", "on_metal"),
    [(took(1, 1, 12.5), False), (took(1, 1, 4.9), True), (took(30, 30, 1), True), (took(), True)],
    ids=["elsewhere", "short of it", "kernels are compiled", "no step"],
)
def test_nothing_else_is_warned_of(made: Observation, on_metal: bool) -> None:
    assert warned(made, on_metal=on_metal) == []


def test_a_long_step_is_a_remark_that_keeps_nobody_from_being_healthy() -> None:
    slow = took(1, 1, 12.5)
    on_metal = msgspec.structs.replace(slow, sightings=(Sighting(fact=OnMetal()),))
    assert [(one.name, one.grave) for one in remarks(on_metal)] == [("long step", False)]
    assert remarks(slow) == ()


def test_a_mac_is_told_what_it_has() -> None:
    environ = {"METAL_DEVICE_WRAPPER_TYPE": "1", "MTL_CAPTURE_ENABLED": "0", "PATH": "/bin"}
    assert list(metal.known_here(M2, environ)) == [
        ("working set", "17.2 GB of 25.8 GB: more than that is slow, and cannot be wired"),
        ("buffers", "499,000 at the most"),
        ("one array", "14.3 GB at the most"),
        ("METAL_DEVICE_WRAPPER_TYPE", "Metal's calls are checked, and slower: times mean little"),
    ]
    assert list(metal.known_here({}, {})) == []


@pytest.mark.parametrize("is_mac", [True, False])
def test_doctor_tells_them_on_a_mac_alone(is_mac: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "MAC", is_mac)
    told = doctor.lines(MAC, resolve({}))
    assert ("buffers      499,000 at the most" in told) is is_mac


def test_explain_and_the_pages_tell_them_all() -> None:
    done = CliRunner().invoke(main, ["explain", "metal"])
    page = errors.pages()["reference/metal.md"]
    assert done.exit_code == 0
    for text in (done.output, page):
        assert metal.NEVER_RUN in " ".join(text.split())
        assert [one.name for one in metal.FACTS if one.name not in text] == []
    assert all(source.startswith("https://") for one in metal.FACTS for source in one.sources)
