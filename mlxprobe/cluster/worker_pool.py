"""The workers of a cluster and their resources."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import mlxprobe
from mlxprobe.cluster import worker
from mlxprobe.schema.errors import UsageError
from mlxprobe.settings.dask_address import DEVICES, Address

if TYPE_CHECKING:
    import distributed

ANSWER_WITHIN_S = 30.0
COME_WITHIN_S = 10.0  # to a cluster that was just started


def ask(client: distributed.Client, what: Callable[..., Any], *words: Any, **which: Any) -> dict[str, Any]:
    """Call a function in workers while they carry out calls; return the answers by address, exceptions too."""
    answers = client.sync(client._run, what, *words, on_error="return", callback_timeout=ANSWER_WITHIN_S, **which)
    return dict(answers)


class Workers:
    """The workers that are known to be there."""

    def __init__(self, client: distributed.Client, address: Address) -> None:
        self._client = client
        self._address = address
        self._known: dict[str, dict[str, Any]] = {}
        try:
            client.wait_for_workers(1, timeout=COME_WITHIN_S)
        except asyncio.TimeoutError:  # not the built-in one before Python 3.11
            raise UsageError(f"--on {address.given}: no worker is there; {self._advice('CPU')}") from None
        self.meet()

    def meet(self) -> None:
        """Update the known workers; raises as the client does where the scheduler does not answer."""
        there = set(self._client.nthreads())
        if new := sorted(there - self._known.keys()):
            for address, one in ask(self._client, worker.about, workers=new).items():
                unusable = {"host": address, "offers": {}, "problem": str(one)}
                self._known[address] = unusable if isinstance(one, BaseException) else one
        for gone in self._known.keys() - there:
            del self._known[gone]

    def width(self, resource: str) -> int:
        """Return how many calls they take at a time."""
        return int(sum(one["offers"].get(resource, 0) for one in list(self._known.values())))

    def called(self, host: str) -> list[str]:
        """Return the addresses of the workers with a name."""
        return [address for address, one in list(self._known.items()) if host and one["host"] == host]

    def resources(self, device: str) -> list[str]:
        """Return the offered resources among those asked for.

        Raises:
            UsageError: nothing, or the same is offered by workers whose programs cannot be in one record.
        """
        wanted = [one for one, its in DEVICES.items() if self._address.resource in ("", one) and device in ("", its)]
        found = [name for name in wanted if self.width(name)]
        if not found:
            there = "; ".join(sorted({f"{one['host']}: {_offers(one)}" for one in self._known.values()}))
            advice = self._advice(wanted[0]) if wanted else f"--device {device} is another one"
            raise UsageError(f"--on {self._address.given}: no worker for these programs ({there}); {advice}")
        for name in found:
            self._check(name, [one for one in self._known.values() if one["offers"].get(name)])
        return found

    def _check(self, name: str, workers: list[dict[str, Any]]) -> None:
        for what in ("mlxprobe", "python", "system"):
            if len(told := {one[what]: one["host"] for one in workers}) > 1:
                each = ", ".join(f"{host}: {value}" for value, host in told.items())
                raise UsageError(f"--on {self._address.given}: workers that offer {name} differ in {what} ({each})")
        if (theirs := workers[0]["mlxprobe"]) != mlxprobe.__version__:
            raise UsageError(f"--on {self._address.given}: workers have mlxprobe {theirs}, not {mlxprobe.__version__}")

    def _advice(self, resource: str) -> str:
        return f"`dask worker {self._address.scheduler} --name NAME --resources {resource}=1` adds one"


def _offers(one: Mapping[str, Any]) -> str:
    told = " ".join(f"{name}={count:g}" for name, count in one["offers"].items())
    return one.get("problem") or told or "no resources"
