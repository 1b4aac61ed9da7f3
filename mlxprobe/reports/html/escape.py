"""Text that somebody else wrote, made fit to be shown: pure."""

from __future__ import annotations

import re

from mlxprobe.schema.texts import plain

LONGEST = 4000  # characters of one text; a report of a hundred programs stays small whatever they print
_KEPT = re.compile(r"([\n\t])")
_UNSAFE = re.compile(r"[^A-Za-z0-9_.~-]+")


def visible(text: str, longest: int = LONGEST) -> str:
    """Return a text with its middle left out if it is too long, and with hidden characters spelled out."""
    text = shortened(text, longest)
    if text.isascii() and text.isprintable():
        return text
    return "".join(part if part in {"\n", "\t"} else plain(part) for part in _KEPT.split(text))


def shortened(text: str, longest: int) -> str:
    """Leave out the middle of a text that is too long; its end says most."""
    if len(text) <= longest:
        return text
    first = longest // 4
    left = len(text) - longest
    return f"{text[:first]}\n… {left:,} characters left out …\n{text[first - longest :]}"


def anchor(*names: str) -> str:
    """Return an id for names of any characters, which is its own link."""
    return "/".join(_UNSAFE.sub(_encoded, shortened(name, 200)) for name in names)


def _encoded(found: re.Match[str]) -> str:
    return "".join(f"%{byte:02X}" for byte in found[0].encode(errors="replace"))
