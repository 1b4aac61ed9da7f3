"""What all values are."""

from __future__ import annotations

import msgspec


class Value(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The base of all values: immutable, and written without its defaults."""
