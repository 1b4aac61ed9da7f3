"""Remove private texts from a bundle: paths of the home folder, names of the user and the machine."""

from __future__ import annotations

import getpass
import itertools
import os
import platform
import pwd
import re
import socket
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import mlxprobe
from mlxprobe.schema.enums import HangKind, Outcome, Role, Severity, Whose

HOME, USER, HOST = "~", "<user>", "<host>"
HOMES = re.compile(r"""/(?:home|Users)/(?:[^/\s"':]+(?:\ [^/\s"':]+){1,2}(?=/)|[^/\s"':]+)""")  # of up to three words
ORDINARY = {  # words of the records, and names that many machines have
    *(part for one in itertools.chain(Outcome, HangKind, Role, Severity, Whose) for part in str(one).split("-")),
    *("admin", "apple", "cpu", "gpu", "localhost", "mac", "metal", "mlx", "mlxprobe", "python", "root", "runner"),
    *("test", "train", "ubuntu", "user"),
}
PATH, NAME = r"(?<![\w.-])(?:{})(?![\w-])", r"(?i)(?<![^\W_])(?:{})(?![^\W_])"
SHORTEST = 3  # letters of a part of a name that is removed
KEPT = ("scenario", "variant", "program")  # names of programs, by which records are compared


class Private:
    """Texts to be replaced: `paths` where they begin a path, `names` wherever no letter or digit goes on."""

    def __init__(self, paths: Iterable[tuple[str, str]], names: Iterable[tuple[str, str]]) -> None:
        known = {path.rstrip("/"): word for path, word in paths}
        self._paths = _either({path: word for path, word in known.items() if len(path) > 1}, PATH)
        self._names = _either({name: word for name, word in names if name.lower() not in ORDINARY}, NAME)

    def hidden(self, value: Any) -> Any:
        """Return a value of JSON without private texts; in keys only paths are replaced."""
        if isinstance(value, str):
            return self._without(self._names, self._pathless(value))
        if isinstance(value, dict):
            return {self._pathless(key): self._of(key, one) for key, one in value.items()}
        return [self.hidden(one) for one in value] if isinstance(value, (list, tuple)) else value

    def _of(self, key: str, value: Any) -> Any:
        return self._pathless(value) if key in KEPT and isinstance(value, str) else self.hidden(value)

    def _pathless(self, text: str) -> str:
        return HOMES.sub(HOME, self._without(self._paths, text))

    @staticmethod
    def _without(found: tuple[re.Pattern[str], Mapping[str, str]] | None, text: str) -> str:
        return found[0].sub(lambda match: found[1][match[0].lower()], text) if found else text


def _either(words: Mapping[str, str], found: str) -> tuple[re.Pattern[str], Mapping[str, str]] | None:
    """Return a pattern for these words, the longest first; None without words."""
    texts = sorted(filter(None, words), key=len, reverse=True)
    if not texts:
        return None
    return re.compile(found.format("|".join(map(re.escape, texts)))), {text.lower(): words[text] for text in texts}


def of_this_machine() -> Private:
    """Return the private texts of this machine."""
    return Private(_paths(), _names())


def _paths() -> Iterator[tuple[str, str]]:
    folders = {
        Path.home(): HOME,
        Path(pwd.getpwuid(os.getuid()).pw_dir): HOME,
        Path(tempfile.gettempdir()): "<tmp>",
        Path.cwd(): "<cwd>",
        Path(mlxprobe.__file__).parents[1]: "<mlxprobe>",
        Path(sys.base_prefix): "<python>",
        Path(sys.prefix): "<python>",
    }
    for folder, word in folders.items():
        for path in (str(folder), os.path.realpath(folder)):
            yield from ((path, word), (quote(path), word))


def _names() -> Iterator[tuple[str, str]]:
    known = pwd.getpwuid(os.getuid())
    full = known.pw_gecos.split(",")[0].strip()
    parts = (part for part in full.split() if len(part) >= SHORTEST)
    for name in (getpass.getuser(), known.pw_name, full, *parts):
        yield name, USER
    for host in (socket.gethostname(), platform.node()):
        yield from ((host, HOST), (host.partition(".")[0], HOST))
