"""Records from elsewhere with numbers that no run has cost neither time nor memory."""

import time

import msgspec
import pytest
from making import record, record_row, seen

from mlxprobe.diagnosis.ranks import rank_progress, reductions
from mlxprobe.protocol.facts.ranks import GradientsRead
from mlxprobe.reports.junit import clean
from mlxprobe.schema import record_io
from mlxprobe.schema.enums import Severity
from mlxprobe.schema.errors import UsageError
from mlxprobe.schema.observation import Process, Sighting
from mlxprobe.schema.record import Finding


def test_ranks_of_an_absurd_size_are_listed_up_to_a_bound() -> None:
    began = time.process_time()
    missing = rank_progress.unwatched([seen(process=Process(pid=1, rank=0, size=10**12))])
    assert len(missing) == rank_progress.MOST_RANKS - 1 and time.process_time() - began < 1


@pytest.mark.parametrize("calls", [10**15, -1])
def test_gradient_calls_beyond_the_values_are_left_out(calls: int) -> None:
    fact = GradientsRead(
        at=1, of="w", calls=calls, values=(1.0, 2.0), sizes=(1,), batch=(), rows=1, sharded=False, optimizer="SGD",
        scale=1.0, scaled_at="",
    )  # fmt: skip
    assert reductions.reads(seen(sightings=(Sighting(fact=fact, step=1),))) == {}


def test_a_finding_with_more_figures_than_any_has_is_refused() -> None:
    evidence = {f"f{k}": 1.0 for k in range(record_io.MOST_FIGURES + 1)}
    found = Finding(code="MP101", name="x", severity=Severity.ERROR, message="x", evidence=evidence)
    whole = msgspec.to_builtins(record(record_row(findings=(found,))))
    with pytest.raises(UsageError, match="more figures than any run has"):
        record_io.converted(whole, "a.json")


def test_xml_spells_out_marks_of_direction() -> None:
    assert "\u202e" not in clean("a\u202eb")
