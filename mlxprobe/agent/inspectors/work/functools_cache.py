"""Functions of the user's whose results are all kept, and hardly ever asked for again: `functools.cache`."""

from __future__ import annotations

import functools
import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any

from mlxprobe.agent.introspection import call_site
from mlxprobe.agent.introspection.code_ownership import OWN
from mlxprobe.agent.patching import static
from mlxprobe.agent.sampling.inspector import Inspector
from mlxprobe.protocol.facts.memory import CacheUnbounded

MANY = 256  # results
SELDOM = 0.05  # of its calls, those that are given a result again
KIND: Any = functools._lru_cache_wrapper


class Caches(Inspector):
    """Ask the caches without a limit, when the program has ended, what they hold and what they were good for."""

    emits = (CacheUnbounded,)

    def finish(self) -> None:
        for one in self._without_end():
            known = one.cache_info()
            code = static.code(one.__wrapped__)
            site = (code.co_filename, code.co_firstlineno) if code is not None else call_site.NOWHERE
            fact = CacheUnbounded(function=one.__qualname__, results=known.currsize, hits=known.hits)
            self.inspection.recorder.fact(fact, site)

    def _without_end(self) -> Iterator[Any]:
        for module in list(sys.modules.values()):
            if static.is_a(module, ModuleType) and call_site.whose_module(module.__name__) == OWN:
                for one in within(module):
                    known = one.cache_info()
                    if known.maxsize is None and known.currsize >= MANY and known.hits <= SELDOM * known.misses:
                        yield one


def within(module: ModuleType) -> list[Any]:
    """List the cached functions of a module and of its classes, each once."""
    own = list(vars(module).values())
    classes = [one for one in own if static.is_a(one, type) and static.module_of(one) == module.__name__]
    every = [*own, *(method for kind in classes for method in static.namespace(kind).values())]
    plain = (one.__func__ if static.is_a(one, (staticmethod, classmethod)) else one for one in every)
    return list({id(one): one for one in plain if static.is_a(one, KIND)}.values())
