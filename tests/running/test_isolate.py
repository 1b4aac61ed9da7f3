"""`mlxprobe isolate`: every intervention does what it says, and the smallest that helps is named."""

import inspect
import json
import re
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from making import HERE, record_row
from running import MLXPROBE, PRELUDE, own_environment, run

from mlxprobe.agent import interventions
from mlxprobe.reports.isolation import ISOLATION_FORMATS
from mlxprobe.running.interventions import INTERVENTIONS
from mlxprobe.running.isolation import ISOLATION_SCHEMA_VERSION, Isolation, Trial, idle, known_names, plausible
from mlxprobe.values.record import Finding
from mlxprobe.values.vocabulary import Outcome, Severity

FAULTY = Path(__file__).parents[1] / "programs" / "faulty"
CHECKED = PRELUDE.replace("train()\n", "")
FORKED = """
import multiprocessing, mlx.core as mx
def work(queue): queue.put(mx.eval(mx.ones(3) + 1))
if __name__ == "__main__":
    mx.eval(mx.ones(3) + 1)
    queue = multiprocessing.get_context("fork").Queue()
    worker = multiprocessing.get_context("fork").Process(target=work, args=(queue,))
    worker.start(); worker.join()
"""
KEPT = CHECKED.replace("value = loss.item()", "kept.append(loss)").replace("return value", "return kept[-1].item()")
CURES = [
    ("eval-update", (FAULTY / "mp101_other.py").read_text(), "MP101"),
    ("average", (FAULTY / "mp203_other.py").read_text(), "MP203"),
    ("clip", (FAULTY / "mp208_other.py").read_text(), "MP208"),
    ("no-compile", (FAULTY / "mp501_other.py").read_text(), "MP501"),
    ("eval-loss", "kept = []" + KEPT + "train(60)", "MP105"),
    ("spawn", FORKED, "hang"),
    ("reuse-gradients", CHECKED + "f, make = len, nn.value_and_grad\nassert make(model, f) is make(model, f)", "error"),
    ("clear-cache", CHECKED + "train(2)\nbig = mx.ones(100_000) + 1; mx.eval(big); del big\n"
     "optimizer.update(model, gradients(model)[1])\nassert mx.get_cache_memory() < 1000", "error"),
    ("skip-update", CHECKED + "w = model.weight.tolist(); train(2)\nassert model.weight.tolist() == w", "error"),
]  # fmt: skip


def isolate(folder: Path, *words: str) -> dict[str, Any]:
    ran = run([*MLXPROBE, "isolate", "--format", "json", "--output", "out.json", "--stall-limit", "2", *words], folder)
    assert (folder / "out.json").is_file(), ran.err
    found = json.loads((folder / "out.json").read_text())
    assert ran.code == 1, ran.err
    return cast("dict[str, Any]", found)


def state(trial: dict[str, Any]) -> set[str]:
    """Return outcome and codes of a trial."""
    seen = trial["seen"]
    return {seen["outcome"]} | {one["code"] for one in seen.get("findings", ()) if one.get("checked", True)}


@pytest.mark.slow
@pytest.mark.parametrize(("name", "source", "gone"), CURES, ids=[row[0] for row in CURES])
def test_an_intervention_changes_the_outcome(name: str, source: str, gone: str, tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(source)
    found = isolate(tmp_path, "--only", name, "train.py")
    before, after = map(state, found["trials"])
    assert gone in before and gone not in after and "pass" in after, (before, after)
    cures = next(one.cures for one in INTERVENTIONS if one.name == name)
    assert found["cure"] == (name if cures else None)


def test_cpu_makes_the_cpu_the_default() -> None:
    chosen: list[object] = []
    mx = SimpleNamespace(__name__="mlx.core", cpu="cpu", Device=lambda one: one, set_default_device=chosen.append)
    mx.value_and_grad = mx.grad = lambda fun: fun
    interventions.Interventions("cpu").imported("mlx.core", mx)
    assert chosen == ["cpu"]


def test_what_is_offered_is_what_the_agent_applies() -> None:
    applied = re.findall(r'"([a-z0-9-]+)" (?:not )?in self\._names', inspect.getsource(interventions))
    assert set(applied) == set(known_names())


@pytest.mark.slow
def test_with_applies_to_every_trial_but_the_first(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text((FAULTY / "mp101_other.py").read_text())
    found = isolate(tmp_path, "--with", "eval-update", "--only", "eval-loss", "train.py")
    names = [one.get("name", "") for one in found["trials"]]
    assert names == ["", "eval-update", "eval-loss"]
    first, *others = [state(one) for one in found["trials"]]
    assert "MP101" in first and not any("MP101" in one for one in others)
    assert found["cure"] == "eval-update"


@pytest.mark.slow
def test_a_healthy_program_needs_no_cure(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(PRELUDE)
    ran = run([*MLXPROBE, "isolate", "--only", "clip", "train.py"], tmp_path)
    assert ran.code == 0 and "There is nothing to cure" in ran.out


WRONG = [
    (
        "no such intervention",
        ["--only", "magic", "train.py"],
        "there is no intervention 'magic'; there are eval-",
    ),
    ("no such one for all", ["--with", "magic", "train.py"], "there is no intervention 'magic'"),
    ("no script", ["nowhere.py"], "there is no such script"),
    ("no place for the report", ["--output", "/dev/null/out", "train.py"], "cannot be written"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("words", "said"), [row[1:] for row in WRONG], ids=[row[0] for row in WRONG])
def test_wrong_usage_is_told(words: list[str], said: str, tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text("open('ran', 'w')")
    ran = run([*MLXPROBE, "isolate", *words], tmp_path)
    assert ran.code == 2 and said in ran.err
    assert not (tmp_path / "ran").exists()


@pytest.mark.slow
@pytest.mark.usefixtures("default_signals")
def test_an_interrupt_keeps_what_there_is(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(PRELUDE)
    order = [*MLXPROBE, "isolate", "--output", "out.json", "--format", "json", "train.py"]
    with subprocess.Popen(
        order, cwd=tmp_path, env=own_environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as ran:
        assert ran.stderr is not None and ran.stderr.readline() == "ok   as it is: pass\n"
        ran.send_signal(signal.SIGINT)
        out, _ = ran.communicate(timeout=60)
    found = json.loads((tmp_path / "out.json").read_text())
    assert ran.returncode == 130
    assert found["complete"] is False and 1 <= len(found["trials"]) < len(INTERVENTIONS)
    assert "as it is" in out


def trial(name: str, outcome: Outcome = Outcome.PASS, *codes: str) -> Trial:
    found = tuple(Finding(code=code, name="x", severity=Severity.ERROR, message="m") for code in codes)
    return Trial(name=name, seen=record_row(outcome, findings=found))


def isolation(*trials: Trial, always: tuple[str, ...] = ()) -> Isolation:
    return Isolation(
        schema_version=ISOLATION_SCHEMA_VERSION, mlxprobe="0", time="", environment=HERE, program="train.py",
        trials=trials, always=always,
    )  # fmt: skip


HANG, PASS = Outcome.HANG, Outcome.PASS
JUDGED = [
    ("what mends the outcome", [trial("", HANG), trial("clip", HANG), trial("spawn")], (), "spawn"),
    ("what takes a finding away", [trial("", PASS, "MP101"), trial("eval-update")], (), "eval-update"),
    ("what takes more away", [trial("", PASS, "A", "B"), trial("eval-update", PASS, "A"), trial("clip")], (), "clip"),
    ("the smaller of two", [trial("", HANG), trial("clip"), trial("eval-loss")], (), "eval-loss"),
    ("nothing where a finding is added", [trial("", PASS, "A"), trial("clip", PASS, "B")], (), None),
    ("nothing where the program fails", [trial("", PASS, "A"), trial("clip", Outcome.ERROR)], (), None),
    ("nothing that only tells", [trial("", HANG), trial("skip-update"), trial("cpu")], (), None),
    ("nothing where nothing is wrong", [trial(""), trial("clip")], (), None),
    ("nothing where nothing changes", [trial("", PASS, "A"), trial("clip", PASS, "A")], (), None),
    ("what helps alone, not what comes with it", [trial("", HANG), trial("spawn"), trial("clip")], ("spawn",), "spawn"),
    ("what helps beside another", [trial("", HANG), trial("clip", HANG), trial("spawn")], ("clip",), "spawn"),
]  # fmt: skip


@pytest.mark.parametrize(("trials", "always", "cure"), [row[1:] for row in JUDGED], ids=[row[0] for row in JUDGED])
def test_the_cure_is(trials: list[Trial], always: tuple[str, ...], cure: str | None) -> None:
    found = isolation(*trials, always=always)
    assert (found.cure.name if found.cure else None) == cure


codes = st.lists(st.sampled_from(["MP101", "MP203", "MP306"]), unique=True, max_size=3)
drawn = st.builds(lambda name, outcome, found: trial(name, outcome, *found), st.sampled_from(known_names()),
                  st.sampled_from([Outcome.PASS, Outcome.HANG, Outcome.NAN]), codes)  # fmt: skip


@given(first=drawn, others=st.lists(drawn, max_size=6))
def test_a_cure_passes_adds_no_finding_and_is_no_mere_question(first: Trial, others: list[Trial]) -> None:
    found = isolation(Trial(name="", seen=first.seen), *others)
    cure = found.cure
    if found.healthy:
        assert cure is None
    if cure is not None:
        assert cure.seen.outcome is Outcome.PASS and cure.codes <= first.codes
        assert cure.codes < first.codes or first.seen.outcome is not Outcome.PASS
        assert cure.name not in ("cpu", "skip-update")
    assert json.loads(ISOLATION_FORMATS["json"](found))["cure"] == (cure.name if cure else None)


def test_markdown_has_a_row_per_trial_and_the_code() -> None:
    text = ISOLATION_FORMATS["markdown"](isolation(trial("", HANG), trial("spawn")))
    assert "| as it is | hang" in text and "| spawn | pass" in text
    assert '    multiprocessing.set_start_method("spawn")\n' in text


@pytest.mark.slow
def test_the_code_to_write_is_not_cut(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text((FAULTY / "mp101_other.py").read_text())
    ran = run([sys.executable, "-m", "mlxprobe", "isolate", "--only", "eval-update", "train.py"], tmp_path)
    assert "    mx.eval(model.parameters(), optimizer.state)\n" in ran.out
