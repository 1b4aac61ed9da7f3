"""The HTML report: what it holds, and how large it is."""

from __future__ import annotations

import re
import sys
import time
from html.parser import HTMLParser
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner
from making import HERE, record, record_row, watched_row
from pages import GUIDE, HOSTILE, baselines, hostile, hung, toy

from mlxprobe.cli import main, report_inputs
from mlxprobe.reports.html import render, render_all, vega_bundle
from mlxprobe.reports.html.chart_data import MAX_POINTS, charts, thinned
from mlxprobe.reports.html.context import pairs
from mlxprobe.reports.html.escape import anchor, visible
from mlxprobe.schema.enums import Outcome
from mlxprobe.schema.errors import UsageError
from mlxprobe.schema.observation import Limits
from mlxprobe.schema.record import Record
from mlxprobe.schema.record_io import encode
from mlxprobe.upgrade import history
from mlxprobe.upgrade.matrix import Matrix
from mlxprobe.upgrade.matrix import encode as encode_matrix
from mlxprobe.verdict.rows import worst

LIBRARY = "window.library = 1;"  # the pure tests need no charts, and making the bundle takes a second
LIMIT_BYTES = 3_000_000


class Elements(HTMLParser):
    """Collects a page's elements with their attributes, and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def all(self, name: str, tag: str = "") -> list[str]:
        """Return an attribute of every element that has it."""
        return [have[name] or "" for one, have in self.found if name in have and tag in ("", one)]


def releases(count: int) -> list[Record]:
    """Return as many records as asked, each of a release of its own."""
    some = baselines()
    return [
        msgspec.structs.replace(some[k % len(some)], environment=msgspec.structs.replace(HERE, mlx=f"0.{k + 10}.0"))
        for k in range(count)
    ]


def test_a_page_has_everything_of_a_scenario() -> None:
    page = Elements(render(toy(), [GUIDE], LIBRARY))
    told = " ".join(page.text.split())
    for part in (
        "hang (stall)", "documented: pass", "How to fixmx.eval.", "It stops.", "because of 42 | pipes & <tags>",
        "MP101 unevaluated-update", "pending grows", "Use instead:", "train.py:42", "optimizer.update(other, grads)",
    ):  # fmt: skip
        assert part in told
    assert {"toy", "toy/never", "toy/evaluated", "MP101"} <= set(page.all("id"))
    assert page.all("data-key") == ["loss", "steps", "pending", "resident", "active", "cache"]


def test_what_happened_now_and_then_is_told() -> None:
    runs = [record_row(Outcome.HANG, as_expected=False, expects=Outcome.PASS), record_row(), record_row()]
    told = " ".join(Elements(render(record(worst(runs)), [], LIBRARY)).text.split())
    assert told.count("expected: pass; intermittent (1 of 3): hang, pass, pass") == 2


def test_every_link_leads_somewhere_in_the_page() -> None:
    page = Elements(render_all(releases(3), [GUIDE], script=LIBRARY))
    ids = page.all("id")
    assert len(ids) == len(set(ids))
    links = [one for one in page.all("href") if one != "data:,"]
    assert links
    assert all(one.startswith("#") and one[1:] in ids for one in links)


def test_a_page_is_the_same_each_time() -> None:
    assert render(toy(), [GUIDE], LIBRARY) == render(toy(), [GUIDE], LIBRARY)


def test_two_rows_of_one_name_have_addresses_of_their_own() -> None:
    page = Elements(render(record(hung(), hung()), (), LIBRARY))
    assert {"toy/never", "toy/never/2"} <= set(page.all("id"))


def test_a_watched_program_shows_its_findings_and_no_overview() -> None:
    page = render(record(hung(scenario="programs", variant="train.py", claims=None)), (), LIBRARY)
    assert 'id="overview"' not in page
    assert page.index("MP101 unevaluated-update") < page.index('class="charts"')
    assert "toy" not in page.split("<main")[1].split("<script")[0]


def test_a_watched_program_that_passed_and_is_not_healthy_has_no_green_mark() -> None:
    limits = Limits(stall_s=1.0, startup_s=10.0, timeout_s=60.0, memory_bytes=0)
    page = render(record(watched_row(findings=hung().findings, limits=limits)), (), LIBRARY)
    assert 'class="verdict o-unhealthy bad"' in page and '"program o-unhealthy"' in page
    assert 'id="i-unhealthy"' in page
    assert "any memory" in page


def test_releases_have_a_grid_with_changes_marked_and_trends() -> None:
    changed = [record(record_row(outcome)) for outcome in (Outcome.PASS, Outcome.PASS, Outcome.HANG)]
    three = [
        msgspec.structs.replace(one, environment=msgspec.structs.replace(HERE, mlx=f"0.{k}"))
        for k, one in enumerate(changed)
    ]
    page = Elements(render_all(three, (), {"0.9": "no wheel"}, LIBRARY))
    assert [one for one in page.all("class", "td") if one.startswith("o-")] == ["o-pass", "o-pass", "o-hang changed"]
    assert {"time", "peak", "waiting"} & set(page.all("data-key"))
    assert "Skipped 0.9: no wheel" in page.text


def test_hostile_texts_stay_texts() -> None:
    page = render(hostile(), [GUIDE], LIBRARY)
    elements = Elements(page)
    assert len(page.encode()) < LIMIT_BYTES
    assert [tag for tag, _ in elements.found].count("script") == 4
    assert not {"img", "iframe", "object", "embed", "link href"} & {tag for tag, _ in elements.found}
    assert not [name for _, have in elements.found for name in have if name.startswith("on")]
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]", page)
    assert "{{ 7*7 }}" in page


@pytest.mark.parametrize(
    ("text", "shown"),
    [("plain", "plain"), ("a\nb\tc", "a\nb\tc"), ("\u202eabc", "\\u202eabc"), ("\x1b[0m", "\\x1b[0m"), ("é – 漢",) * 2],
)  # fmt: skip
def test_hidden_characters_are_spelled_out(text: str, shown: str) -> None:
    assert visible(text) == shown


def test_a_long_text_loses_its_middle_alone() -> None:
    shown = visible("a" * 10_000 + "end")
    assert len(shown) < 4100
    assert shown.endswith("aend")
    assert "characters left out" in shown


def test_an_address_is_its_own_link() -> None:
    assert anchor("step2-hang", "nothing_evaluated") == "step2-hang/nothing_evaluated"
    assert re.fullmatch(r"[\w%/.~-]+", anchor("a b", HOSTILE))


def test_the_differing_words_of_a_line_are_marked() -> None:
    first, second, third = pairs(GUIDE, "never")
    assert (first.mark, second.mark, third.mark) == ("~", "+", " ")
    assert [piece for piece in first.left if piece[1]] == [("other", True)]
    assert pairs(GUIDE, "gone") == []


def test_a_thinned_series_keeps_its_ends_and_its_extremes() -> None:
    points = [(float(k), 0.0) for k in range(10_000)]
    points[5432] = (5432.0, 9.0)
    kept = thinned(points)
    assert len(kept) <= MAX_POINTS + 2
    assert {points[0], points[5432], points[-1]} <= set(kept)


def test_hangs_and_kills_are_marked() -> None:
    shown = {one["key"]: one["marks"] for one in charts(toy().programs)}
    assert shown["resident"] == [{"n": 1, "x": 1.5, "what": "silent"}, {"n": 1, "x": 2.5, "what": "killed"}]
    assert shown["loss"] == [{"n": 1, "x": 20, "what": "hang"}]


def test_files_of_all_kinds_are_read(tmp_path: Path) -> None:
    old, new = releases(2)
    files = [tmp_path / "new.json", tmp_path / "matrix.json"]
    files[0].write_bytes(encode(new))
    files[1].write_bytes(encode_matrix(Matrix(schema_version=1, records=(old,), skipped={"1.0": "none"})))
    records, skipped, _ = history.read(files)
    assert [one.environment.mlx for one in records] == ["0.10.0", "0.11.0"]
    assert skipped == {"1.0": "none"}


@pytest.mark.parametrize("text", ["", "{}", "[1]", '{"records": 3, "schema_version": 1}', '{"schema_version": 9}'])
def test_what_is_no_record_is_refused_in_one_sentence(tmp_path: Path, text: str) -> None:
    (tmp_path / "bad.json").write_text(text)
    with pytest.raises(UsageError, match=r"bad\.json"):
        history.read([tmp_path / "bad.json"])


def test_without_its_libraries_a_sentence_says_how_to_install_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "vl_convert", None)
    vega_bundle.bundle.cache_clear()
    with pytest.raises(UsageError, match=r"pip install 'mlxprobe\[report\]'"):
        render(toy())


def test_the_command_writes_a_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report_inputs, "script", lambda _: LIBRARY)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "record.json").write_bytes(encode(baselines()[-1]))
    ran = CliRunner().invoke(main, ["report", "record.json"])
    assert ran.exit_code == 0, ran.output
    assert "optimizer.update" in (tmp_path / "report.html").read_text()
    assert CliRunner().invoke(main, ["report", "missing.json"]).exit_code == 2


def test_the_library_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vega_bundle, "bundle", lambda: LIBRARY)
    assert report_inputs.script(tmp_path) == report_inputs.script(tmp_path) == LIBRARY
    assert [file.read_text() for file in tmp_path.iterdir()] == [LIBRARY]


@pytest.mark.slow
def test_a_page_of_twenty_releases_is_small_and_soon_made() -> None:
    known, script = report_inputs.of_folders(()), vega_bundle.bundle()
    began = time.process_time()
    page = render_all(releases(20), known, script=script)
    assert time.process_time() - began < 10
    assert len(page.encode()) < LIMIT_BYTES
