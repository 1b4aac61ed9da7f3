"""Files from elsewhere, read once and within bounds: JSON, or a self-test's bundle."""

from __future__ import annotations

import codecs
import io
import os
import select
import stat
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from mlxprobe.schema.errors import UsageError

RECORD, DOCTOR = "record.json", "doctor.txt"  # in a self-test's bundle
MOST_BYTES = 40_000_000  # a record of all scenarios has 1 to 4 million
MOST_VALUES = 1_500_000  # in JSON; a record of all scenarios has 80,000, and each takes up to 200 bytes of memory
MOST_FILES = 1_000  # in a bundle
MOST_CHARACTERS = 100_000  # of a text; the rest is left out
DEEPEST = 64  # lists and tables within each other; records have 12
MOST_INTEGER = 1 << 63  # a size or a count
IDLE_S, WITHIN_S = 8.0, 10.0  # without a byte from a pipe, and until its end
MARKS = {  # UTF-32 before UTF-16, whose mark it begins with
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
BUNDLE, ENTRY = (b"PK\x03\x04", b"PK\x05\x06"), b"PK\x01\x02"
ENCRYPTED = 0x1


class Given(NamedTuple):
    """The content of a file: its JSON, and `doctor`'s text where it is a bundle."""

    origin: str
    data: bytes
    doctor: str = ""


def given(path: Path) -> Given:
    """Read a file.

    Raises:
        UsageError: it cannot be read, it is too large, or it is a bundle without a record.
    """
    origin = str(path)
    try:
        data = b"".join(_blocks(path))
    except OSError as error:
        raise UsageError(f"{origin}: cannot be read: {error.strerror or error}") from None
    return _unpacked(origin, data) if data.startswith(BUNDLE) else Given(origin, data)


def _blocks(path: Path) -> Iterator[bytes]:
    """Yield what a file holds; a pipe is waited for, and a device without an end is given up."""
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    try:
        waits, size, until_s = not stat.S_ISREG(os.fstat(fd).st_mode), 0, time.monotonic() + WITHIN_S
        while block := _block(fd, path, until_s) if waits else os.read(fd, 1 << 20):
            size += len(block)
            if size > MOST_BYTES:
                raise UsageError(f"{path}: more than {MOST_BYTES / 1e6:.0f} MB: no mlxprobe record")
            yield block
    finally:
        os.close(fd)


def _block(fd: int, path: Path, until_s: float) -> bytes:
    """Return the next bytes of a pipe; nothing at its end."""
    left_s = max(0.0, until_s - time.monotonic())
    if not select.select([fd], [], [], min(IDLE_S, left_s))[0] or not left_s:
        why = f"nothing came for {IDLE_S:g} s" if left_s > IDLE_S else f"its end did not come within {WITHIN_S:g} s"
        raise UsageError(f"{path}: cannot be read: {why}")
    return os.read(fd, 1 << 20)


def _unpacked(origin: str, data: bytes) -> Given:
    """Return the record and `doctor`'s text of a bundle."""
    if data.count(ENTRY) > MOST_FILES:
        raise UsageError(f"{origin}: no bundle of `mlxprobe selftest`: more than {MOST_FILES:,} files are in it")
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as bundle:
            found = {name: _entry(origin, bundle, name) for name in (RECORD, DOCTOR) if name in bundle.namelist()}
    except UsageError:
        raise
    except Exception as error:  # zipfile raises a dozen types for what is no zip file
        raise UsageError(f"{origin}: cannot be read: {error or type(error).__name__}") from None
    if RECORD not in found:
        raise UsageError(f"{origin}: no bundle of `mlxprobe selftest`: there is no {RECORD} in it")
    return Given(origin, found[RECORD], found.get(DOCTOR, b"").decode(errors="replace")[:MOST_CHARACTERS])


def _entry(origin: str, bundle: zipfile.ZipFile, name: str) -> bytes:
    """Unpack a file, whose size is known before."""
    info = bundle.getinfo(name)
    if info.flag_bits & ENCRYPTED:
        raise UsageError(f"{origin}: cannot be read: {name} in it is encrypted")
    if info.file_size > MOST_BYTES:
        size = f"{info.file_size / 1e6:,.0f} MB of {name} in it"
        raise UsageError(f"{origin}: {size}, of which {MOST_BYTES / 1e6:.0f} MB are read: no mlxprobe record")
    with bundle.open(info) as file:
        return file.read(MOST_BYTES)


def plain(found: Given, what: str) -> Any:
    """Return the values of JSON, with texts cut to what is read of one.

    Args:
        found: what a file holds.
        what: the word for it in a message.

    Raises:
        UsageError: it is no JSON, is truncated, or is larger or deeper than any record.
    """
    try:
        data = _utf8(found.data)
        values = data.count(b",") + data.count(b"[") + data.count(b"{")
        if values > MOST_VALUES:
            many = f"{values:,} values, of which {MOST_VALUES:,} are read"
            raise UsageError(f"{found.origin}: no mlxprobe {what}: {many}")
        return _bounded(msgspec.json.decode(data), DEEPEST)
    except (msgspec.DecodeError, msgspec.ValidationError, UnicodeError) as error:
        raise UsageError(f"{found.origin}: not a whole mlxprobe {what}: {error}") from None
    except ValueError as error:
        raise UsageError(f"{found.origin}: no mlxprobe {what}: {error}") from None
    except RecursionError:
        raise UsageError(f"{found.origin}: no mlxprobe {what}: nested deeper than {DEEPEST} levels") from None


def _utf8(data: bytes) -> bytes:
    """Return JSON as UTF-8, whatever its byte order mark says."""
    encoding = next((name for mark, name in MARKS.items() if data.startswith(mark)), "")
    return data.decode(encoding).encode() if encoding else data


def _bounded(value: Any, deeper: int) -> Any:
    """Return a value with its texts cut.

    Raises:
        RecursionError: it is nested too deep.
        ValueError: an integer in it is larger than any that a record holds.
    """
    if isinstance(value, str):
        return value if len(value) <= MOST_CHARACTERS else f"{value[:MOST_CHARACTERS]}…"
    if isinstance(value, int):
        _check(value)
    if not isinstance(value, (dict, list)):
        return value
    if not deeper:
        raise RecursionError
    if isinstance(value, dict):
        return {key[:MOST_CHARACTERS]: _bounded(one, deeper - 1) for key, one in value.items()}
    if not all(type(one) in (float, int) for one in value):
        return [_bounded(one, deeper - 1) for one in value]
    for number in value:
        _check(number)
    return value


def _check(number: float) -> None:
    """Raise ValueError where a number is an integer of more than 64 bits."""
    if isinstance(number, int) and abs(number) > MOST_INTEGER:
        raise ValueError("an integer in it has more than 64 bits")
