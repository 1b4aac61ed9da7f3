"""Records with some nodes or bytes changed: each gives a report, or one sentence."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from making import STACK, record, record_row, watched_row

from mlxprobe.cli.common import main
from mlxprobe.schema.enums import HangKind, Outcome, Severity
from mlxprobe.schema.observation import Collective, Place, Process, Raised, Silence
from mlxprobe.schema.record import Compared, Finding, Remark, Repeat, StoredFact, Unchecked
from mlxprobe.schema.record_io import encode
from mlxprobe.schema.run_summary import Kind, Model, Optimizer, Phase, Sheet
from mlxprobe.upgrade.matrix import Matrix
from mlxprobe.upgrade.matrix import encode as encode_matrix

SHEET = Sheet(
    model=Model(parameters=3, trainable=2, kinds={"Linear": Kind(modules=1, trainable=2)}, adapters={"rank 8": 2}),
    optimizers=(Optimizer(name="SGD", rates=((1, 0.1), (9, 0.2)), schedule="cosine", warmup=3),),
    updates=20, gradients=20, batches={"(4, 3)": 3}, compared=4, different=3, clip_norm=1.0,
    positions=10, carrying=4, traces={"step": (1, 20)}, phases={"step": Phase(seconds=2.0, times=3)}, peak_bytes=9,
    peak_in="step", read=("a",), written=("b",),
)  # fmt: skip
FOUND = Finding(
    code="MP101", name="n", severity=Severity.ERROR, message="m", file="a.py", line=3,
    caller=Place(file="b.py", line=4),    evidence={"x": 0.5}, ranks=(0, 1), together=True,
)  # fmt: skip


def rank(number: int) -> Any:
    collectives = tuple(Collective(n=k, operation="all_sum", shape=(3,), built_s=k, begun_s=k + 0.1) for k in (1, 2))
    facts = (
        StoredFact(type="ParametersHashed", fields={"at": 1, "of": "a", "bits": "b", "values": (1.0,), "elements": 3}),
        StoredFact(type="StateGiven", fields={"what": "weights"}),
    )
    return watched_row(
        Outcome.HANG, kind=HangKind.DEADLOCK, process=Process(pid=number, rank=number, size=2), findings=(FOUND,),
        collectives=collectives, evaluating_s=2.0, ended="stalled", stacks=(STACK,), sheet=SHEET,
        silence=Silence(silent_s=3.0, cpu_s=0.1, kind=HangKind.DEADLOCK),
        compared=Compared(steps=(1, 2), ends_s=(0.1, 0.2), gradients=(1, 1), facts=facts),
    )  # fmt: skip


WHOLE = record(
    record_row(
        Outcome.ERROR, claims=Outcome.PASS, as_expected=False, documents=("a",), says="s", findings=(FOUND,),
        unchecked=(Unchecked(code="MP2", name="n", why="w"),), sheet=SHEET, stacks=(STACK,), remarks=(Remark(
        name="no step", message="m", detail={"gradients": 3}),), raised=Raised(type="E", message="m", file="a", line=3),
        repeats=(Repeat(outcome=Outcome.PASS, reason="", as_expected=True),), ranks=(rank(0), rank(1)),
    ),
    rank(0), rank(1),
)  # fmt: skip
RANKS = msgspec.structs.replace(WHOLE, programs=WHOLE.programs[1:])
SAMPLES = {
    "record": encode(WHOLE),
    "ranks": encode(RANKS),
    "matrix": encode_matrix(Matrix(schema_version=1, records=(WHOLE, record()), broken={"1.0": "why"})),
}
ODD = st.one_of(
    st.none(), st.booleans(), st.integers(-3, 3), st.integers(), st.sampled_from([10**30, -(10**30), 2**63, 0.0, -0.5]),
    st.floats(allow_nan=False, allow_infinity=False), st.sampled_from(["nan", "inf", "-inf", "", "\x1b[2J", "1" * 60]),
    st.text(max_size=9), st.just([]), st.just({}), st.just([[]]), st.sampled_from(list(Outcome)).map(str),
)  # fmt: skip


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """Draw a record or a matrix with up to four nodes changed, left out or doubled, or up to three bytes."""
    data = SAMPLES[draw(st.sampled_from(sorted(SAMPLES)))]
    if draw(st.integers(0, 4)) == 0:
        changed = bytearray(data)
        for _ in range(draw(st.integers(1, 3))):
            changed[draw(st.integers(0, len(changed) - 1))] = draw(st.integers(0, 255))
        return bytes(changed)
    whole = json.loads(data)
    for _ in range(draw(st.integers(1, 4))):
        holder, key = draw(st.sampled_from(list(places(whole))))
        way = draw(st.integers(0, 5))
        if way == 0:
            del holder[key]
        elif way == 1 and isinstance(holder, list):
            holder.insert(key, holder[key])
        elif isinstance(holder[key], list):
            holder[key] = holder[key][: draw(st.integers(0, 2))]
        else:
            holder[key] = draw(ODD) if way == 2 else draw(alike(holder[key]))
        if not whole:
            break
    return json.dumps(whole).encode()


def alike(value: Any) -> st.SearchStrategy[Any]:
    """Draw another value of the same type, which the schema takes."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return st.just(value)
    if isinstance(value, str):
        return st.one_of(st.text(max_size=9), st.sampled_from(["nan", "\x1b[2J", "../x", "<img>", *map(str, Outcome)]))
    whole = st.one_of(st.integers(-3, 3), st.sampled_from([10**30, -(10**30), 2**63, 2**31]))
    odd = st.sampled_from(["nan", "inf", "-inf", 0.0, -0.5, 1e300])
    return whole if isinstance(value, int) else st.one_of(whole, odd, st.floats(allow_nan=False, allow_infinity=False))


def places(node: Any) -> Any:
    """Yield each node with what holds it."""
    for key in list(node) if isinstance(node, dict) else range(len(node)) if isinstance(node, list) else ():
        yield node, key
        yield from places(node[key])


ORDERS = [
    ["report", "--format", "text"],
    ["report", "--format", "markdown"],
    ["report", "--format", "json"],
    ["report", "--output", "page.html"],
    ["report", "--records", "kept"],
    ["merge"],
]


@pytest.mark.slow
@pytest.mark.parametrize("order", ORDERS, ids=" ".join)
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=mutated())
def test_each_gives_a_report_or_one_sentence(order: list[str], data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "given.json"
        file.write_bytes(data)
        words = [str(Path(folder) / word) if word in ("page.html", "kept") else word for word in order]
        done = CliRunner().invoke(main, [*words, str(file)])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code in (0, 2)
    assert done.exit_code == 0 or (done.stderr.startswith("mlxprobe: ") and done.stderr.count("\n") == 1), done.stderr


@pytest.mark.parametrize("name", SAMPLES)
def test_the_samples_themselves_are_read(name: str, tmp_path: Path) -> None:
    (tmp_path / "r.json").write_bytes(SAMPLES[name])
    done = CliRunner().invoke(main, ["report", "--format", "text", str(tmp_path / "r.json")])
    assert done.exit_code == 0, done.output
