"""The HTML report in a headless Chromium; skipped where there is none."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from making import record
from pages import GUIDE, baselines, browsing, hostile, ranks, toy

from mlxprobe.cli import report_inputs
from mlxprobe.reports.html import render, render_all

FIRST_PAINT_MS = """new Promise((tell) => new PerformanceObserver((seen) => tell(seen.getEntries()[0].startTime))
    .observe({ type: "paint", buffered: true }))"""


@pytest.mark.slow
def test_every_chart_is_drawn_and_nothing_is_asked_for(tmp_path: Path) -> None:
    file = tmp_path / "report.html"
    file.write_text(render_all(baselines()[-2:], report_inputs.of_folders(())))
    with browsing(file) as (page, troubles):
        assert page.evaluate(FIRST_PAINT_MS) < 3000  # 1000 where the machine has nothing else to do
        page.evaluate("drawAll()")
        drawn = page.evaluate("[...document.querySelectorAll('figure.chart')].map((f) => f.dataset.drawn)")
        lines = page.evaluate(
            "[...document.querySelectorAll('.plot')].map((p) => p.querySelectorAll('svg path').length)"
        )
        without = page.evaluate(
            "[...document.querySelectorAll('section.scenario:not(:has(.plot svg))')].map((one) => one.id)"
        )
    assert set(drawn) == {"done"}
    assert min(lines) > 0
    assert set(without) <= {"fork-after-eval"}  # it trains nothing
    assert troubles == []


@pytest.mark.slow
def test_filters_links_and_keys_work(tmp_path: Path) -> None:
    file = tmp_path / "report.html"
    file.write_text(render(baselines()[-1], report_inputs.of_folders(())))
    with browsing(file) as (page, troubles):
        shown = "document.querySelectorAll('details.program:not([hidden])').length"
        everything = page.evaluate(shown)
        page.check("input[name=outcome][value=hang]")
        hangs = page.evaluate(shown)
        assert 0 < hangs < everything
        assert page.inner_text("#shown") == f"{hangs} of {everything} programs"
        page.keyboard.press("Escape")
        page.wait_for_selector(f"#shown:text-is('{everything} programs')")
        page.select_option("#code", "MP601")
        assert page.evaluate(shown) == 1
        page.goto(f"{file.as_uri()}#step2-hang/nothing_evaluated")  # a link to what is filtered away shows it
        page.wait_for_selector("details[id='step2-hang/nothing_evaluated'][open]")
        page.keyboard.press("/")
        page.keyboard.type("mx.eval(loss) nothing-like-this")
        assert page.evaluate(shown) == 0
    assert troubles == []


@pytest.mark.slow
def test_a_hostile_page_runs_nothing(tmp_path: Path) -> None:
    file = tmp_path / "report.html"
    file.write_text(render(hostile(), [GUIDE]))
    with browsing(file) as (page, troubles):
        page.evaluate("drawAll()")
        page.click("#open")
        assert page.evaluate("window.hit") is None
        assert "<img src=x onerror=window.hit=1>\\u202egnp\\x1b[31m\\x00\\ud800 {{ 7*7 }}" in page.inner_text("body")
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert troubles == []


@pytest.mark.slow
@pytest.mark.parametrize(
    "look",
    [{"color_scheme": "light"}, {"color_scheme": "dark"}, {"viewport": {"width": 360, "height": 740}}],
    ids=["light", "dark", "phone"],
)
@pytest.mark.parametrize("scenario", ["toy", "programs", "ranks"])
def test_everybody_can_use_a_page(tmp_path: Path, look: dict[str, object], scenario: str) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-core is in the extra `test`")
    file = tmp_path / "report.html"
    rows = [one if scenario == "toy" else msgspec.structs.replace(one, scenario=scenario) for one in toy().programs]
    made = ranks() if scenario == "ranks" else record(*rows)
    file.write_text(render_all([made] * (1 + (scenario == "toy")), [GUIDE]))
    with browsing(file, **look) as (page, troubles):
        page.evaluate("drawAll()")
        page.click("#open")
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        found = axe.Axe().run(page).response["violations"]
    assert [(one["id"], [node["target"] for node in one["nodes"]]) for one in found] == []
    assert troubles == []
