"""What the tests of the HTML report share: records to show, and a headless Chromium to show them in."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from lanes import built, waiting
from making import HERE, STACK, record, record_row

from mlxprobe.reports.html import Guide
from mlxprobe.runner.judging import judged_all
from mlxprobe.schema.enums import HangKind, Outcome, Role, Severity
from mlxprobe.schema.observation import Frame, Limits, MlxSample, Process, Raised, Stack
from mlxprobe.schema.record import Finding, ProgramRecord, Record
from mlxprobe.schema.record_io import load

if TYPE_CHECKING:
    from playwright.sync_api import Page

BASELINES = sorted((Path(__file__).parents[1] / "reports" / "baselines").glob("*-cpu.json"))
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
OFFLINE = ("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
           "--disable-component-update", "--disable-sync")  # fmt: skip
HOSTILE = "</script><script>window.hit=1</script><img src=x onerror=window.hit=1>\u202egnp\x1b[31m\x00\ud800 {{ 7*7 }}"

SOURCE = '''
@probe.correct
def evaluated():
    """Evaluate."""
    optimizer.update(model, grads)
    mx.eval(model.parameters(), optimizer.state)
    return model


@probe.broken(expects=Outcome.HANG)
def never():
    """Do not."""
    optimizer.update(other, grads)
    return model
'''
GUIDE = Guide(scenario="toy", source=SOURCE, correct="evaluated", symptom="It stops.", cause="Lazy.", fix="`mx.eval`.")


def hung(**changes: Any) -> ProgramRecord:
    """Return the row of a program that hung after its twentieth step."""
    found = Finding(
        code="MP101", name="unevaluated-update", severity=Severity.ERROR, message="pending grows", file="t.py", line=3
    )
    memory = tuple(
        MlxSample(t_s=0.1 * n, active_bytes=n * 10**6, cache_bytes=n * 10**5, peak_bytes=10**7) for n in range(9)
    )
    given = {
        "variant": "never",
        "kind": HangKind.STALL,
        "claims": Outcome.PASS,
        "detection_s": 2.5,
        "stacks": (STACK,),
        "findings": (found,),
        "memory": memory,
        "pending": {1: 100, 2: 200, 3: 300},
        "limits": Limits(stall_s=1.0, startup_s=10.0, timeout_s=60.0, memory_bytes=10**9),
    }
    return record_row(Outcome.HANG, **given | changes)


def correct(**changes: Any) -> ProgramRecord:
    """Return the row of the loop that is right."""
    return record_row(Outcome.PASS, **{"variant": "evaluated", "role": Role.CORRECT} | changes)


def toy(**changes: Any) -> Record:
    """Return a record of one scenario: a loop that hangs beside the one that is right."""
    return record(correct(), hung(), **changes)


def ranks() -> Record:
    """Return a record of a hang of two ranks, the second of which went on without a collective."""
    late: dict[str, Any] = {"evaluating_s": 0.71, "detection_s": 6.71}
    seen = (waiting(0, "gmgmgmg", **late), waiting(1, "gmgmgmm", line=34, **late))
    return record(*judged_all(seen))


def hostile() -> Record:
    """Return a record whose every text is an attack, with 10 MB of output."""
    frame = Frame(file=HOSTILE, line=1, function=HOSTILE, code=HOSTILE)
    attack = {
        "title": HOSTILE,
        "summary": HOSTILE,
        "reason": HOSTILE * 1000,
        "says": HOSTILE,
        "documents": (HOSTILE,),
        "raised": Raised(type=HOSTILE, message=HOSTILE, traceback=HOSTILE * 1000),
        "stacks": (Stack(pid=1, thread=HOSTILE, frames=(frame,) * 500),) * 100,
        "findings": (
            Finding(
                code=HOSTILE,
                name=HOSTILE,
                severity=Severity.ERROR,
                message=HOSTILE,
                file=HOSTILE,
                evidence={HOSTILE: 1},
            ),
        )
        * 1000,
        "process": Process(pid=1, rank=0, size=2, command=(HOSTILE,)),
        "collectives": (msgspec.structs.replace(built("g")[0], operation=HOSTILE, dtype=HOSTILE, file=HOSTILE),),
        "output_tail": (HOSTILE + "\n") * 120_000,
    }
    rows = [
        msgspec.structs.replace(hung(), scenario=scenario, variant=HOSTILE, **attack) for scenario in ("toy", HOSTILE)
    ]
    return record(*rows, problems=(HOSTILE,), environment=msgspec.structs.replace(HERE, device_name=HOSTILE))


def baselines() -> list[Record]:
    """Return the committed records of the CPU, the oldest release first."""
    return [load(file) for file in BASELINES]


@contextmanager
def browsing(file: Path, **context: Any) -> Iterator[tuple[Page, list[str]]]:
    """Open a file in headless Chromium; the list takes console messages, errors, dialogs and requests to elsewhere."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is in the extra `test`")
    if CHROMIUM is None:
        pytest.skip("there is no Chromium here")
    troubles: list[str] = []
    address = file.as_uri()
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(OFFLINE))
        page = browser.new_page(**context)
        page.on("console", lambda message: troubles.append(f"console: {message.text}"))
        page.on("pageerror", lambda error: troubles.append(f"error: {error}"))
        page.on("dialog", lambda dialog: troubles.append(f"dialog: {dialog.message}"))
        page.on("request", lambda asked: troubles.extend({asked.url.split("#")[0]} - {address, "data:,"}))
        page.goto(address)
        yield page, troubles
        browser.close()
