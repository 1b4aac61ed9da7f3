"""Which workers may run programs, and what is said of those that may not."""

from types import SimpleNamespace
from typing import Any

import pytest

import mlxprobe
from mlxprobe.cluster.worker import label
from mlxprobe.cluster.worker_pool import Workers
from mlxprobe.schema.errors import UsageError
from mlxprobe.settings.dask_address import address


def about(host: str, offers: dict[str, int], **changes: str) -> dict[str, Any]:
    here = {"mlxprobe": mlxprobe.__version__, "python": "3.12", "system": "linux x86_64"}
    return {"host": host, "offers": offers} | here | changes


class Client:
    """A cluster whose workers answer so."""

    def __init__(self, *told: Any) -> None:
        self.told = {f"tcp://10.0.0.{number}:1": one for number, one in enumerate(told)}
        self._run = None

    def wait_for_workers(self, *_: int, timeout: float) -> None: ...

    def nthreads(self) -> dict[str, int]:
        return dict.fromkeys(self.told, 1)

    def sync(self, *_: Any, workers: list[str], **__: Any) -> dict[str, Any]:
        return {one: self.told[one] for one in workers}


def workers(*told: Any, on: str = "dask://here:1") -> Workers:
    return Workers(Client(*told), address(on))


MIXED = (about("linux", {"CPU": 2}), about("other", {"CPU": 1}), about("mini", {"METAL": 1}, system="darwin arm64"))
OFFERS = [
    ("all that is offered", "dask://here:1", "", ["CPU", "METAL"]),
    ("what was named", "dask://here:1/METAL", "", ["METAL"]),
    ("what fits the device", "dask://here:1", "gpu", ["METAL"]),
]


@pytest.mark.parametrize(("on", "device", "right"), [case[1:] for case in OFFERS], ids=[case[0] for case in OFFERS])
def test_programs_go_where(on: str, device: str, right: list[str]) -> None:
    there = workers(*MIXED, on=on)
    assert there.resources(device) == right
    assert (there.width("CPU"), there.called("mini"), there.called("")) == (3, ["tcp://10.0.0.2:1"], [])


REFUSED = [
    ("nobody offers it", [about("bare", {}), about("one", {"CPU": 1})], "gpu", r"\(bare: no resources; one: CPU=1\)"),
    (
        "a worker without mlxprobe",
        [ModuleNotFoundError("No module named 'mlxprobe'")],
        "",
        "No module named 'mlxprobe'",
    ),
    ("another Python", [about("a", {"CPU": 1}), about("b", {"CPU": 1}, python="3.13")], "", "CPU differ in python"),
    ("another mlxprobe", [about("a", {"CPU": 1}, mlxprobe="9.9")], "", "workers have mlxprobe 9.9, not"),
]


@pytest.mark.parametrize(("told", "device", "words"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED])
def test_why_workers_do_not_fit(told: list[Any], device: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        workers(*told).resources(device)


def test_who_comes_and_goes_is_noticed() -> None:
    client = Client(about("a", {"CPU": 1}))
    there = Workers(client, address("dask://here:1"))
    client.told["tcp://10.0.0.9:1"] = about("b", {"CPU": 4})
    there.meet()
    assert there.width("CPU") == 5
    client.told.popitem()
    there.meet()
    assert there.width("CPU") == 1


def test_a_record_never_holds_an_address() -> None:
    named, unnamed = (SimpleNamespace(name=name, address="tcp://10.0.0.1:1") for name in ("mini", "tcp://10.0.0.1:1"))
    assert (label(named), label(unnamed)) == ("mini", "unnamed")
