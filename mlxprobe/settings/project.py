"""Find and read [tool.mlxprobe] in a project's pyproject.toml."""

from __future__ import annotations

import os
import re
import stat
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mlxprobe.schema.errors import UsageError
from mlxprobe.settings.validators import shown

MAX_BYTES = 1_000_000
MAX_KEY_PARTS = 100  # the parser's time and memory grow with their square
_PART = r"""(?:[\w-]+|"[^"\n]*"|'[^'\n]*')[ \t]*\.[ \t]*"""
_TOO_DEEP = re.compile(rf"(?<![\w-])(?:{_PART}){{{MAX_KEY_PARTS}}}")


def project_table(start: Path) -> tuple[Path | None, dict[str, Any]]:
    """Find [tool.mlxprobe] in the pyproject.toml of `start` or the nearest folder above.

    Raises:
        UsageError: something of that name is there, and cannot be read as TOML.
    """
    files = (folder / "pyproject.toml" for folder in (start, *start.parents))
    for file in filter(os.path.lexists, files):
        found = table_in(_read_toml(file), "tool", str(file)).get("mlxprobe")
        if found is not None:
            return file, table_in({"tool.mlxprobe": found}, "tool.mlxprobe", str(file))
    return None, {}


def table_in(parent: Mapping[str, Any], key: str, origin: str) -> dict[str, Any]:
    """Return the table under a key, empty where there is none.

    Raises:
        UsageError: it is no table.
    """
    found = parent.get(key, {})
    if not isinstance(found, dict):
        raise UsageError(f"{origin}, [{key}]: {shown(found)} is not a table")
    return found


def _read_toml(file: Path) -> dict[str, Any]:
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib

    try:
        found = file.stat()
        if not stat.S_ISREG(found.st_mode):  # a pipe, say, which would be waited for
            raise UsageError(f"{file}: is no file")
        if found.st_size > MAX_BYTES:
            raise UsageError(f"{file}: is larger than {MAX_BYTES / 1e6:g} MB")
        text = file.read_text(encoding="utf-8")
        if _TOO_DEEP.search(text):
            raise UsageError(f"{file}: has a key of more than {MAX_KEY_PARTS} parts")
        return tomllib.loads(text)
    except OSError as error:
        raise UsageError(f"{file}: cannot be read: {error.strerror}") from None
    except ValueError as error:  # TOML, UTF-8, or an integer of too many digits
        raise UsageError(f"{file}: not a TOML file: {error}") from None
    except RecursionError:
        raise UsageError(f"{file}: not a TOML file: its tables or lists are nested too deep") from None
