"""The address of a cluster's scheduler, `dask://HOST:PORT`, and which of its workers' resources programs need."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

DEVICES = {"CPU": "cpu", "GPU": "gpu", "METAL": "gpu"}  # what workers may offer, and what MLX calls it
MOST_PORT = 65535
SCHEMES = {"dask": "tcp", "dask+tls": "tls"}
RIGHT = f"dask://HOST:PORT or dask+tls://HOST:PORT, with /{', /'.join(DEVICES)} behind it where one is meant"


class Address(NamedTuple):
    """What was given, the scheduler as Dask names it, and the resource, if one was named."""

    given: str
    scheduler: str
    resource: str


def address(value: Any) -> Address:
    """Read an address; a ValueError where it is none."""
    found = re.fullmatch(rf"(dask|dask\+tls)://([^/\s]+:\d+)/?({'|'.join(DEVICES)}|)", str(value))
    if not found or not 1 <= int(found[2].rpartition(":")[2]) <= MOST_PORT:
        raise ValueError
    return Address(f"{found[1]}://{found[2]}", f"{SCHEMES[found[1]]}://{found[2]}", found[3])
