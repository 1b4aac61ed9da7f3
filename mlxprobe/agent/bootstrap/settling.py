"""Start the agent in every process that imports any part of MLX; `sitecustomize` executes this file.

The agent is imported with MLX, and not before: most Pythons that a command starts never do so.
"""

from __future__ import annotations

import contextlib
import gc
import importlib.util
import os
import sys
from collections.abc import Iterator

_HERE = os.path.dirname(os.path.abspath(__file__))


def _make_agent_importable() -> None:
    """Import `mlxprobe` from where this file lies; the program's environment need not have it."""
    root = os.path.dirname(os.path.dirname(_HERE))
    spec = importlib.util.spec_from_file_location(
        "mlxprobe", os.path.join(root, "__init__.py"), submodule_search_locations=[root]
    )
    assert spec is not None and spec.loader is not None
    package = importlib.util.module_from_spec(spec)
    sys.modules["mlxprobe"] = package
    spec.loader.exec_module(package)


@contextlib.contextmanager
def _no_garbage() -> Iterator[None]:
    """Let Python look for none while it imports what stays to the end."""
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()


if "MLXPROBE_FOLDER" in os.environ:
    _make_agent_importable()
    from mlxprobe.agent.introspection import isolated_import
    from mlxprobe.agent.lifecycle import env_propagation
    from mlxprobe.agent.patching import import_hooks
    from mlxprobe.agent.patching.ctrl_c import HELD as HELD  # noqa: PLC0414 - for `sitecustomize`
    from mlxprobe.agent.patching.interrupts import let_through
    from mlxprobe.agent.wire import last_word

    def _settle() -> None:
        try:
            with isolated_import.importable(), _no_garbage():
                from mlxprobe.agent.lifecycle import autoload
            autoload.settle(env_propagation.handed)
        except Exception as error:  # the program goes on, unwatched
            last_word.send(error, env_propagation.handed)
            let_through(error)

    env_propagation.hand_down()
    import_hooks.when_begun("mlx", _settle)
    isolated_import.withdraw()
