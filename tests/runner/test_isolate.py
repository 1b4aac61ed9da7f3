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

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from making import HERE, record_row
from running import MLXPROBE, PRELUDE, own_environment, run
from watching import GUARD_S

from mlxprobe.agent.hooks import interventions
from mlxprobe.diagnosis import RULES
from mlxprobe.reports.isolation import ISOLATION_FORMATS
from mlxprobe.runner.interventions import INTERVENTIONS
from mlxprobe.runner.isolation_result import ISOLATION_SCHEMA_VERSION, Isolation, Trial, idle, known_names, plausible
from mlxprobe.schema.enums import Outcome, Severity
from mlxprobe.schema.record import Finding, Remark, Unchecked

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
KEPT = (
    CHECKED.replace("(32, 4)", "(3200, 4)")
    .replace("value = loss.item()", "kept.append(loss)")
    .replace("return value", "return kept[-1].item()")
)
ADAPTED = (
    CHECKED
    + """
class Adapted(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear, self.lora_a, self.lora_b = nn.Linear(4, 1), mx.ones((4, 2)), mx.zeros((2, 1))
    def __call__(self, x):
        return self.linear(x) + x @ self.lora_a @ self.lora_b
model = nn.Sequential(nn.Linear(4, 4), Adapted())
kept, factor = model.layers[0].weight.tolist(), model.layers[1].lora_b.tolist()
gradients = nn.value_and_grad(model, lambda m: ((m(x) - y) ** 2).mean())
for _ in range(3):
    optimizer.update(model, gradients(model)[1])
    mx.eval(model.parameters(), optimizer.state)
assert model.layers[0].weight.tolist() == kept and model.layers[1].lora_b.tolist() != factor
"""
)
BY_HAND = """
import mlx.core as mx
mx.random.seed(0)
first = params = mx.random.normal((4, 1))
x = mx.random.normal((32, 4))
gradients = mx.value_and_grad(lambda params: mx.mean((mx.tanh(x @ params) - x.sum(1, keepdims=True)) ** 2))
for _ in range(60):
    loss, grads = gradients(params)
    params = params - 0.01 * grads
print(params.tolist())
"""
TWO_FAULTS = """
import mlx.core as mx, mlx.nn as nn, mlx.optimizers as optim
from mlx.utils import tree_map
mx.random.seed(0)
model = nn.Sequential(nn.Linear(4, 32), nn.Dropout(0.1), nn.Linear(32, 1))
optimizer = optim.SGD(learning_rate=1e-2)
gradients = nn.value_and_grad(model, lambda m, x, y: mx.mean((m(x) - y) ** 2))
for step in range(48):
    if step == 4:
        model.eval()
    total = None
    for _ in range(4):
        x = mx.random.normal((8, 4))
        loss, grads = gradients(model, x, x.sum(axis=1, keepdims=True))
        total = grads if total is None else tree_map(mx.add, total, grads)
        mx.eval(loss, total)
    optimizer.update(model, total)
    mx.eval(model.parameters(), optimizer.state)
"""
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
    ("rate-tenth", (FAULTY / "mp208_other.py").read_text(), "MP208"),
    ("capture-random", (FAULTY / "mp503_step.py").read_text(), "MP503"),
    ("causal-mask", (FAULTY / "mp307_trainer.py").read_text(), "MP307"),
    ("train-mode", (FAULTY / "mp215_trainer.py").read_text(), "MP215"),
    ("freeze-base", ADAPTED, "error"),
    ("float32", CHECKED + "model.set_dtype(mx.float16); x = x.astype(mx.float16)\n"
     "gradients = nn.value_and_grad(model, lambda m, x: (m(x) ** 2).mean())\n"
     "grads = gradients(model, x)[1]\nassert grads['weight'].dtype == model.weight.dtype == mx.float32", "error"),
    ("eval-update", BY_HAND, "MP101"),
    ("skip-update", BY_HAND + "assert mx.array_equal(params, first).item()", "error"),
    ("rate-tenth", CHECKED + "w = mx.array(model.weight); _, grads = gradients(model)\n"
     "optimizer.update(model, grads)\n"
     "assert optimizer.learning_rate.item() > 0.09\n"
     "assert mx.allclose(model.weight, w - 0.01 * grads['weight']).item()", "error"),
    ("eval-update", CHECKED + "x = mx.random.normal((100_000, 4))\ny = x.sum(1, keepdims=True)\n"
     "params = model.trainable_parameters()\nfor _ in range(150):\n"
     "    grads = gradients(model)[1]\n    params = optimizer.apply_gradients(grads, params)\n"
     "    model.update(params)\nprint(model.weight.tolist())", "MP102"),
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
    return {seen["outcome"]} | {one["code"] for one in seen.get("findings", ())}


@pytest.mark.slow
@pytest.mark.parametrize(("name", "source", "gone"), CURES, ids=[f"{k} {row[0]}" for k, row in enumerate(CURES)])
def test_an_intervention_changes_the_outcome(name: str, source: str, gone: str, tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(source)
    found = isolate(tmp_path, "--only", name, "train.py")
    before, after = map(state, found["trials"])
    assert gone in before and gone not in after and after & {"pass", "unhealthy"}, (before, after)
    cures = next(one.cures for one in INTERVENTIONS if one.name == name)
    assert found["cure"] == (name if cures else None)


def test_cpu_makes_the_cpu_the_default() -> None:
    chosen: list[object] = []
    mx = SimpleNamespace(__name__="mlx.core", cpu="cpu", Device=lambda one: one, set_default_device=chosen.append)
    interventions.Interventions("cpu").imported(mx)
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
    order = [*MLXPROBE, "isolate", "--output", "out.json", "--format", "json", "--all", "train.py"]
    with subprocess.Popen(
        order, cwd=tmp_path, env=own_environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as ran:
        assert ran.stderr is not None and ran.stderr.readline() == "ok   as it is: pass\n"
        ran.send_signal(signal.SIGINT)
        out, _ = ran.communicate(timeout=GUARD_S)
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


def conclusion(found: Isolation) -> str:
    return ISOLATION_FORMATS["markdown"](found).partition("\n\n")[2].partition("\n\n")[2]


def test_a_partial_cure_is_named_with_what_stays_and_what_shows_then() -> None:
    first = trial("", PASS, "MP101", "MP102", "MP203")
    found = isolation(first, trial("eval-update", PASS, "MP105", "MP203"), trial("average", PASS, "MP101", "MP102"))
    assert found.cure is None
    text = conclusion(found)
    assert "`eval-update` takes away MP101 and MP102; MP203 stays, MP105 shows then." in text
    assert "`average` takes away MP203; MP101 and MP102 stay." in text
    told = json.loads(ISOLATION_FORMATS["json"](found))["helpful"]
    assert [one["name"] for one in told] == ["average", "eval-update"] or told[0]["shows"] == ["MP105"]


def test_what_nothing_hid_is_made_worse_by_what_shows_it() -> None:
    found = isolation(trial("", PASS, "MP101"), trial("eval-update", PASS, "MP207"))
    assert found.helpful == [] and "`eval-update`" not in conclusion(found)


def test_no_compile_shows_what_was_hidden() -> None:
    first = trial("", PASS, "MP501")
    hidden = Unchecked(code="MP201", name="x", why="could not look inside")
    first = Trial(name="", seen=msgspec.structs.replace(first.seen, unchecked=(hidden,)))
    text = conclusion(isolation(first, trial("no-compile", PASS, "MP201")))
    assert "`no-compile` takes away MP501; MP201 shows then." in text
    assert "Without mx.compile MP306 shows." in conclusion(
        isolation(trial("", HANG), trial("no-compile", HANG, "MP306"))
    )


PAIRED = [
    ("what helps with what takes the rest", [trial("", PASS, "MP203", "MP215"), trial("average", PASS, "MP215"),
     trial("train-mode", PASS, "MP203")], ["average + train-mode"]),
    ("what shows only then", [trial("", PASS, "MP101"), trial("eval-update", PASS, "MP105")],
     ["eval-update + eval-loss"]),
    ("none where one cures", [trial("", PASS, "MP203", "MP215"), trial("average")], []),
    ("none where nothing helps", [trial("", PASS, "MP203", "MP215"), trial("average", PASS, "MP203", "MP215")], []),
    ("none for what nothing takes", [trial("", PASS, "MP203", "MP301"), trial("average", PASS, "MP301")], []),
    ("none of a healthy program", [trial(""), trial("average")], []),
]  # fmt: skip


@pytest.mark.parametrize(("trials", "right"), [row[1:] for row in PAIRED], ids=[row[0] for row in PAIRED])
def test_the_pairs_to_try_are(trials: list[Trial], right: list[str]) -> None:
    assert isolation(*trials).pairs(known_names()) == right
    assert isolation(*trials).pairs(["clip"]) == []


def test_pairs_are_few_and_no_mere_questions() -> None:
    most = [code for code in idle_free() if code.startswith("MP")]
    trials = [trial(name, PASS, *most[1:]) for name in known_names()]
    pairs = isolation(trial("", PASS, *most), *trials).pairs(known_names())
    assert len(pairs) == 3 and not any("cpu" in pair or "skip" in pair for pair in pairs)


def idle_free() -> list[str]:
    return sorted({code for one in INTERVENTIONS for code in one.takes})


def test_a_pair_that_cures_is_written_whole() -> None:
    first = trial("", PASS, "MP203", "MP215")
    others = trial("average", PASS, "MP215"), trial("train-mode", PASS, "MP203"), trial("average + train-mode")
    found = isolation(first, *others)
    assert found.cure is others[2]
    text = conclusion(found)
    assert "The smallest cure is average + train-mode: divide" in text and "    model.train()\n" in text
    assert "tree_map" in text


@pytest.mark.parametrize(
    ("first", "right"),
    [
        (trial("", PASS, "MP215"), ["train-mode"]),
        (trial("", PASS, "MP101", "MP102", "MP105"), ["eval-update", "eval-loss"]),
        (trial("", PASS, "MP503"), ["capture-random", "no-compile"]),
        (trial("", PASS), []),
        (trial("", PASS, "MP301"), []),
    ],
)
def test_what_may_take_away_most_is_tried_first(first: Trial, right: list[str]) -> None:
    assert plausible(first) == right


def test_what_an_intervention_takes_away_is_a_code_or_an_outcome() -> None:
    words = {*RULES, *map(str, Outcome), "MP113", "MP211", "MP404"}
    assert {code for one in INTERVENTIONS for code in one.takes} <= words
    assert idle(["MP101", "MP301"]) == ["MP301"]


def test_nothing_to_cure_is_never_said_beside_a_finding() -> None:
    note = Finding(code="MP106", name="evaluated-late", severity=Severity.NOTE, message="m")
    noted = Trial(name="", seen=record_row(PASS, findings=(note,)))
    text = conclusion(isolation(noted, trial("eval-update")))
    assert "nothing to cure" not in text.lower() and "There is a note, MP106; it goes with eval-update." in text
    unknown = conclusion(isolation(trial("", PASS, "MP301")))
    assert "No intervention is known for MP301: `mlxprobe explain MP301`." in unknown
    blind = Remark(name="child crashed", message="a child crashed")
    text = conclusion(isolation(Trial(name="", seen=record_row(PASS, remarks=(blind,)))))
    assert "nothing to cure" not in text.lower() and "Not judged: a child crashed." in text


@pytest.mark.slow
def test_pairs_are_run_where_no_single_change_cures(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(TWO_FAULTS)
    found = isolate(tmp_path, "train.py")
    assert found["cure"] == "average + train-mode"
    assert [one.get("name", "") for one in found["trials"]] == ["", "average", "train-mode", "average + train-mode"]


def test_markdown_has_a_row_per_trial_and_the_code() -> None:
    text = ISOLATION_FORMATS["markdown"](isolation(trial("", HANG), trial("spawn")))
    assert "| as it is | hang" in text and "| spawn | pass" in text
    assert '    multiprocessing.set_start_method("spawn")\n' in text


@pytest.mark.slow
def test_the_code_to_write_is_not_cut(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text((FAULTY / "mp101_other.py").read_text())
    ran = run([sys.executable, "-m", "mlxprobe", "isolate", "--only", "eval-update", "train.py"], tmp_path)
    assert "    mx.eval(model.parameters(), optimizer.state)\n" in ran.out
