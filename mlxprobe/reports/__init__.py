"""Record in, text out: pure. One file per format; each offers `render(record) -> str`."""

from collections.abc import Callable

from mlxprobe.reports import annotations, diagnosis, junit, markdown, sarif, text
from mlxprobe.values.files import encode
from mlxprobe.values.record import Record


def _html(record: Record) -> str:
    from mlxprobe.reports import html  # its libraries are in an extra

    return html.render(record)


FORMATS: dict[str, Callable[[Record], str]] = {
    "text": text.render,
    "markdown": markdown.render,
    "junit": junit.render,
    "json": lambda record: encode(record).decode(),
}
WATCH_FORMATS: dict[str, Callable[[Record], str]] = {
    "text": diagnosis.render,
    "json": FORMATS["json"],
    "junit": junit.render,
    "github": annotations.render,
    "sarif": sarif.render,
    "html": _html,
}
