"""Functions that keep all they ever returned: which of them are told."""

import functools
from types import ModuleType
from typing import Any

import pytest

from mlxprobe.agent.inspectors.work import functools_cache
from mlxprobe.agent.inspectors.work.functools_cache import MANY, Caches
from mlxprobe.agent.introspection import call_site
from mlxprobe.agent.introspection.code_ownership import LIBRARY, OWN
from mlxprobe.protocol.facts.memory import CacheUnbounded


class Told:
    def __init__(self) -> None:
        self.recorder = self
        self.facts: list[str] = []

    def fact(self, fact: CacheUnbounded, site: tuple[str, int]) -> None:
        assert site[0] == __file__ and site[1]
        self.facts.append(f"{fact.function} {fact.results} {fact.hits}")


def cached(name: str, *, times: int = 1, limit: int | None = None) -> Any:
    def function(number: int) -> int:
        return number

    function.__qualname__ = name
    made = functools.lru_cache(limit)(function)
    for k in range(times * MANY):
        made(k % MANY)
    return made


def test_those_without_a_limit_that_are_hardly_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    kind = type("Loader", (), {"read": staticmethod(cached("read")), "__module__": "mine"})
    mine, library = ModuleType("mine"), ModuleType("library")
    crop = cached("crop")
    vars(mine).update(crop=crop, again=crop, table=cached("table", times=2), recent=cached("recent", limit=64))
    vars(mine)["Loader"], vars(library)["parse"] = kind, cached("parse")
    monkeypatch.setattr(functools_cache, "sys", type("Sys", (), {"modules": {"mine": mine, "library": library}}))
    monkeypatch.setattr(call_site, "whose_module", lambda name: OWN if name == "mine" else LIBRARY)
    told = Told()
    Caches(told).finish()  # type: ignore[arg-type]
    assert sorted(told.facts) == [f"crop {MANY} 0", f"read {MANY} 0"]
