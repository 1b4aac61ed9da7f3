"""Notebooks, run by a real kernel: the report is beneath the cell that was watched, and names its own lines."""

import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from watching import GUARD_S

from mlxprobe.integrations.notebook import limit_of, uncovered

nbformat: Any = pytest.importorskip("nbformat")
nbclient: Any = pytest.importorskip("nbclient")
pytest.importorskip("ipykernel")

RECORDING = Path(__file__).parents[1] / "programs" / "recording.py"
EXAMPLE = Path(__file__).parents[2] / "docs" / "guide" / "notebook.ipynb"
MODEL = """import mlx.core as mx, mlx.nn as nn, mlx.optimizers as optim
mx.random.seed(0)
model, optimizer = nn.Linear(4, 1), optim.SGD(0.1)
x = mx.random.normal((32, 4))
y = x.sum(1, keepdims=True)
gradients = nn.value_and_grad(model, lambda m: ((m(x) - y) ** 2).mean())"""
LOOP = """%%watch
for step in range(60):
    loss, grads = gradients(model)
    optimizer.update(model, grads)"""
MENDED = LOOP + "\n    mx.eval(model.parameters(), optimizer.state)\n    value = loss.item()"
NOT_LEARNING = MODEL.replace("lambda m: ((m(x) - y) ** 2).mean()", "loss_of").replace(
    "gradients =", "loss_of = lambda m: ((m(x) - y) ** 2).mean()\noptimizer = optim.SGD(1e-9)\ngradients ="
)
CONFIGURED = """shell = get_ipython()
config, traits, application = shell.config, shell.traits(), shell.parent
config.MySection.rate = 0.1"""
SAME_BATCH = """
for step in range(40):
    batch = x[:8]
    loss, grads = gradients(model, batch, batch.sum(1, keepdims=True))
    optimizer.update(model, grads)
    mx.eval(model.parameters(), optimizer.state)
    value = loss.item()"""
OF_BATCHES = MODEL.replace("lambda m: ((m(x) - y) ** 2).mean()", "lambda m, x, y: ((m(x) - y) ** 2).mean()")
RECORDED = f"""import sys
sys.path.insert(0, {str(RECORDING.parent)!r})
from recording import *"""
SEEN = "print(sorted(SEEN.items()))"
LOCKED = """import threading
lock = threading.Lock()
lock.acquire()
lock.acquire()
"""


def executed(*cells: str) -> list[Any]:
    """Run cells as a notebook; return what each has put out."""
    made = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(one) for one in cells])
    nbclient.NotebookClient(made, timeout=int(GUARD_S), allow_errors=True).execute()
    return [cell.outputs for cell in made.cells]


def reports(outputs: Any) -> list[str]:
    return [one.data["text/plain"] for one in outputs if one.output_type == "display_data"]


@pytest.mark.slow
def test_a_cell_is_told_of_beneath_it_broken_and_mended() -> None:
    load, model, broken, mended, plain, error, tired, flat = executed(
        "%load_ext mlxprobe", MODEL, LOOP, MENDED, "1 + 1", "%%watch\nmx.grad(lambda w: w / None)(x)",
        NOT_LEARNING, MENDED,
    )  # fmt: skip
    assert not load and not model and not tired
    (told,) = reports(broken)
    assert told.startswith("In[3]:4: MP101 error unevaluated-update: ")
    assert "        optimizer.update(model, grads)\n" in told
    page = broken[0].data["text/html"]
    assert page.startswith("<iframe sandbox=") and "In[3]" in page and "MP101" in page
    (told,) = reports(mended)
    assert "60 steps" in told and "healthy: no finding" in told
    assert [one.output_type for one in plain] == ["execute_result"]
    assert "agent/hooks/gradients.py" not in "".join(next(one for one in error if one.output_type == "error").traceback)
    assert "TypeError" in reports(error)[0] and "raised at In[6]:2" in reports(error)[0]
    (told,) = reports(flat)
    assert "In[8]:4: MP205 error update-not-applied" in told  # at that rate nothing is learned


@pytest.mark.slow
def test_the_configuration_of_the_shell_stays_as_it_is_and_hides_no_finding() -> None:
    asked = "print(sorted(config), sorted(config.MySection))"
    _, _, _, before, cell, after = executed(
        "%load_ext mlxprobe", OF_BATCHES, CONFIGURED, asked, "%%watch" + SAME_BATCH, asked
    )
    assert before[0].text == after[0].text
    (told,) = reports(cell)
    assert "MP309" in told and "failed" not in told


@pytest.mark.slow
def test_a_watched_cell_asks_nothing_of_the_notebooks_own_objects() -> None:
    model = MODEL + "\nmodel.plain, model.rows, model.classed = PLAIN, ROWS, CLASSED"
    loop = MENDED.partition("\n")[2]
    watched = executed("%load_ext mlxprobe", RECORDED, model, "%%watch\n" + loop, SEEN)
    alone = executed("1", RECORDED, model, loop, SEEN)
    assert "healthy: no finding" in reports(watched[3])[0]
    assert watched[-1][0].text == alone[-1][0].text


RENDERS = ("mlxprobe.reports", "jinja2", "vl_convert", "rich", "msgspec")
KILLS = """import os, signal, psutil
mine = lambda words: "mlxprobe" in words and str(os.getpid()) in words
(beside,) = (one for one in psutil.process_iter() if mine(one.cmdline()))
os.kill(beside.pid, signal.SIGKILL)"""


@pytest.mark.slow
def test_the_report_is_made_beside_the_kernel_and_who_is_gone_there_is_replaced() -> None:
    seen = f"import sys\n[one for one in sys.modules if one.startswith({RENDERS})]"
    _, _, first, modules, _, _, again = executed("%load_ext mlxprobe", MODEL, MENDED, seen, KILLS, "1 + 1", MENDED)
    assert "60 steps" in reports(first)[0] and "text/html" in first[0].data
    assert modules[0].data["text/plain"] == "[]"  # what a first cell would wait for
    assert "60 steps" in reports(again)[0]


@pytest.mark.slow
def test_all_cells_are_watched_on_demand_and_only_those_that_train_are_told_of() -> None:
    watched = executed(
        "%load_ext mlxprobe\n%mlxprobe on --stall-limit 30", MODEL, LOOP.partition("\n")[2], "%mlxprobe off",
        LOOP.partition("\n")[2], "%mlxprobe of",
    )  # fmt: skip
    assert [len(reports(one)) for one in watched] == [0, 0, 1, 0, 0, 0]
    assert reports(watched[2])[0].startswith("In[3]:3: MP101 ")
    assert "'of' is not right" in watched[5][0].text


@pytest.mark.slow
def test_a_cell_that_hangs_says_so_with_its_line_and_can_be_interrupted() -> None:
    from jupyter_client.manager import start_new_kernel  # type: ignore[import-not-found, unused-ignore]

    manager, client = start_new_kernel(startup_timeout=int(GUARD_S))
    try:
        client.execute_interactive("%load_ext mlxprobe", timeout=GUARD_S)
        client.execute("%%watch --stall-limit 1\n" + LOCKED)
        assert any("deadlock: nothing has moved" in one and ":5 (lock.acquire())" in one for one in said(client)), said
        manager.interrupt_kernel()
        heard = list(said(client))
        assert any(one.startswith("KeyboardInterrupt") for one in heard)
        assert any("interrupted by Ctrl-C" in one for one in heard)
        assert client.execute_interactive("2 + 2", timeout=GUARD_S)["content"]["status"] == "ok"
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


def said(client: Any) -> Iterator[str]:
    """Yield what a cell puts out, until it has run."""
    until_s = time.monotonic() + GUARD_S
    while time.monotonic() < until_s:
        message = client.get_iopub_msg(timeout=GUARD_S)
        kind, content = message["msg_type"], message["content"]
        if kind == "stream":
            yield content["text"]
        elif kind == "error":
            yield content["ename"]
        elif kind == "display_data":
            yield content["data"]["text/plain"]
        elif kind == "status" and content["execution_state"] == "idle":
            return


@pytest.mark.slow
def test_the_example_runs_as_it_is_written() -> None:
    made = nbformat.read(EXAMPLE, as_version=4)
    written = [cell.source for cell in made.cells if cell.cell_type == "code"]
    outputs = executed(*written)
    told = [text for one in outputs for text in reports(one)]
    (shown,) = re.findall(r"^```text\n(.*?)^```$", EXAMPLE.with_suffix(".md").read_text(), re.MULTILINE | re.DOTALL)
    assert told[0].startswith(shown) and "healthy: no finding" in told[1], told[0]


def test_the_magic_becomes_a_comment_and_every_line_keeps_its_number() -> None:
    assert uncovered(["%%watch --stall-limit 3\n", "x = 1\n"]) == ["# %%watch --stall-limit 3\n", "x = 1\n"]
    assert uncovered(["%%watching\n", "x = 1\n"]) == ["%%watching\n", "x = 1\n"]


def test_the_limit_is_read_where_it_is_one() -> None:
    assert [limit_of(one) for one in ("--stall-limit 2.5", "--stall-limit=3s", "", "--stall 2")] == [
        2.5,
        3.0,
        None,
        None,
    ]
