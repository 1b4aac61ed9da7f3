"""Texts from programs and files, made safe for terminals and Markdown, and their secrets masked: pure."""

from __future__ import annotations

import re
from collections.abc import Sequence

HIDDEN = (  # the characters of Unicode's categories Cc, Cf, Cs, Zl and Zp: controls, marks of direction, surrogates
    "\x00-\x1f\x7f-\x9f\xad\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u180e\u200b-\u200f\u2028-\u202e"
    "\u2060-\u2064\u2066-\u206f\ud800-\udfff\ufeff\ufff9-\ufffb\U000110bd\U000110cd\U00013430-\U0001343f"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0001\U000e0020-\U000e007f"
)
_HIDDEN = re.compile(f"[{HIDDEN}]+")
_HIDDEN_IN_LINES = re.compile(f"(?!\n)[{HIDDEN}]")
_LONG = re.compile(r"\S{301,}")
_MARKUP = re.compile(r"<|!(?=\\*\[)")
MASK = "***"
_NAMES = r"(?:api|access|private)[-_]?key|secret|passw(?:or)?d|passphrase|token|credentials?|bearer|authorization"
_SECRET = re.compile(rf"(?i)(?:^|[-_.]|(?<=[a-z]))(?:{_NAMES})s?(?:$|[-_.])|^-*pwd$")
_NO_SECRET = re.compile(r"(?i)tokenizer|^-*(?:max|min|num|n|new|pad|eos|bos|unk|mask)[-_.]|tokens(?:[-_.]|$)")
_ASSIGNED = re.compile(r"(?s)^(-{0,2}[A-Za-z_][\w.-]*)=(.+)$")
_FLAG = re.compile(r"^--?[A-Za-z][\w.-]*$")
_IN_ADDRESS = re.compile(r"(?<=://)([^/\s:@]*):[^/\s@]+(?=@)")
_KNOWN = re.compile(r"\b(?:hf_|sk-|ghp_|gho_|github_pat_|xox[abp]-|AKIA)[\w-]{12,}")


def one_line(text: str) -> str:
    """Write a text in one line, without anything that a terminal would obey."""
    return plain(" ".join(text.split()))


def plain(text: str) -> str:
    """Spell out characters that a terminal would obey, or that hide or reorder others; a tab becomes a space."""
    return _HIDDEN.sub(_spelled, text.replace("\t", " "))


def lines(text: str) -> str:
    """Spell out such characters in a text of several lines."""
    return _HIDDEN_IN_LINES.sub(_spelled, text.replace("\t", " "))


def _spelled(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape").decode()


def escaped(text: str) -> str:
    r"""Write such characters in a text of JSON as `\u009b`, which its readers turn back."""
    from json import dumps  # a program may have a module of that name, and it is started before this is needed

    return _HIDDEN_IN_LINES.sub(lambda found: dumps(found[0])[1:-1], text)


def shortened(text: str, most: int = 300) -> str:
    """Return a text without its middle where it is longer."""
    return text if len(text) <= most else f"{text[: most // 2]} … {text[-most // 2 :]}"


def briefly(text: str, most: int = 2000) -> str:
    """Return a message without the middle of its long words, as a command line may hold, nor of the rest."""
    return shortened(_LONG.sub(lambda found: shortened(found[0]), text), most)


def inline(text: str) -> str:
    """Write a text in one line of Markdown, without tags or images, which a page would load."""
    return _MARKUP.sub(lambda found: "&lt;" if found[0] == "<" else "\\!", one_line(text))


def fenced(text: str) -> str:
    """Write lines as a block of Markdown that none of them ends."""
    return "```text\n" + text.replace("```", "'''").rstrip("\n") + "\n```\n"


def encodable(text: str) -> str:
    r"""Write the bytes of a file's name that are not UTF-8 as `\xff`."""
    return text if text.isascii() else text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def masked(words: Sequence[str]) -> tuple[str, ...]:
    """Return the words of a command without its secrets: `--api-key=***`, `--password ***`, `API_KEY=***`."""
    shown: list[str] = []
    for before, word in zip(("", *words), words, strict=False):
        named = _FLAG.match(before) and is_secret(before) and not (word.startswith("-") and _FLAG.match(word))
        shown.append(MASK if named else _masked(word))
    return tuple(shown)


def _masked(word: str) -> str:
    assigned = _ASSIGNED.match(word)
    if assigned and is_secret(assigned[1]):
        return f"{assigned[1]}={MASK}"
    return _KNOWN.sub(MASK, _IN_ADDRESS.sub(rf"\1:{MASK}", word))


def is_secret(name: str) -> bool:
    """Check whether an option or a variable of this name holds a secret."""
    return bool(_SECRET.search(name)) and not _NO_SECRET.search(name)
