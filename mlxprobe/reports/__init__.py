"""Record in, text out: pure. One file per format; each offers `render(record) -> str`."""

import importlib
from collections.abc import Callable

from mlxprobe.schema.record import Record
from mlxprobe.schema.record_io import encode


def _format(file: str) -> Callable[[Record], str]:
    """Return what renders a format, whose file is imported when it is asked for: few of them are, and HTML an extra."""

    def render(record: Record) -> str:
        return str(importlib.import_module(f"{__name__}.{file}").render(record))

    return render


FORMATS: dict[str, Callable[[Record], str]] = {
    "text": _format("text"),
    "markdown": _format("markdown"),
    "junit": _format("junit"),
    "json": lambda record: encode(record).decode(),
}
WATCH_FORMATS: dict[str, Callable[[Record], str]] = {
    "text": _format("diagnosis"),
    "markdown": FORMATS["markdown"],
    "json": FORMATS["json"],
    "junit": FORMATS["junit"],
    "github": _format("annotations"),
    "sarif": _format("sarif"),
    "html": _format("html"),
}
