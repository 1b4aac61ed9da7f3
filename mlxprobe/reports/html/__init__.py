"""Records in, one HTML file out that needs nothing from outside: pure.

`visible` is the wall for texts that others wrote: every value a template prints goes through it, then through
Jinja's escaping; a Content-Security-Policy lets only the page's own two scripts run, by their hashes.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib import resources
from typing import TYPE_CHECKING, Any

from mlxprobe.reports import diagnosis, phrases, ranks, verdicts
from mlxprobe.reports.html import vega_bundle
from mlxprobe.reports.html.context import Guide, data, page
from mlxprobe.reports.html.escape import visible
from mlxprobe.runner.finding_filter import source_of
from mlxprobe.schema.enums import Outcome
from mlxprobe.schema.errors import UsageError
from mlxprobe.schema.metrics import counted, megabytes
from mlxprobe.schema.record import Record

if TYPE_CHECKING:
    import jinja2

__all__ = ["Guide", "render", "render_all"]

STATIC = resources.files(__name__) / "static"


def render(record: Record, guides: Iterable[Guide] = (), script: str = "") -> str:
    """Return the report of one record; `script` is the charts' library where it is at hand already."""
    return render_all((record,), guides, script=script)


def render_all(
    records: Sequence[Record],
    guides: Iterable[Guide] = (),
    skipped: Mapping[str, str] | None = None,
    script: str = "",
) -> str:
    """Return one report of several records, the oldest release first, with the grid and the trends along them.

    Raises:
        UsageError: a library that the report needs is not installed.
    """
    template = _environment().get_template("page.html")
    shown = page(records, guides, skipped or {})
    specs = {name: json.loads(_static(file)) for name, file in (("lines", "charts.json"), ("ranks", "ranks.json"))}
    spec = json.dumps(specs, separators=(",", ":"))
    own = "".join(_static(name) for name in ("charts.js", "ranks.js", "filters.js", "page.js"))
    scripts = [vega_bundle.inlined(one) for one in (script or vega_bundle.bundle(), own)]
    return template.render(
        page=shown,
        data=_trusted(data(shown)),
        spec=_trusted(spec),
        style=_trusted(_static("style.css")),
        icons=_trusted(_static("icons.svg")),
        scripts=[_trusted(one) for one in scripts],
        policy=" ".join(f"'sha256-{_hash(one)}'" for one in scripts),
    )


def _static(name: str) -> str:
    return (STATIC / name).read_text(encoding="utf-8")


def _hash(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()


def _trusted(text: str) -> Any:
    """Mark text of our own as HTML."""
    from markupsafe import Markup

    return Markup(text)  # noqa: S704 - it comes out of this package, or is escaped JSON


def _environment() -> jinja2.Environment:
    try:
        import jinja2
    except ImportError:
        raise UsageError(vega_bundle.HOW) from None
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader(__name__),
        autoescape=True,
        finalize=_finalized,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= FILTERS
    environment.globals |= {"Outcome": Outcome, "ranks": ranks}
    return environment


def _finalized(value: Any) -> Any:
    """Make what a template prints visible, unless it is HTML of our own."""
    return value if hasattr(value, "__html__") or isinstance(value, int) else visible(str(value))


def _ticked(text: str) -> Any:
    """Show what stands between backticks as code."""
    from markupsafe import Markup

    parts = [Markup.escape(part) for part in visible(text).split("`")]
    if len(parts) % 2 == 0:
        return text
    code = [Markup("<code>{}</code>").format(part) if k % 2 else part for k, part in enumerate(parts)]
    return Markup("").join(code)


FILTERS: dict[str, Callable[..., Any]] = {
    "observed": phrases.observed,
    "repeated": phrases.repeated,
    "status": phrases.status,
    "surroundings": phrases.surroundings,
    "figures": diagnosis.figures,
    "verdict": verdicts.verdict,
    "fails": verdicts.fails,
    "figure": diagnosis.figure,
    "advice": diagnosis.advice,
    "place": lambda found: diagnosis.place(found.file, found.line),
    "source": source_of,
    "megabytes": megabytes,
    "paragraphs": lambda text: [" ".join(one.split()) for one in text.split("\n\n")],
    "counted": counted,
    "ticked": _ticked,
}
