"""Start a program under observation: `python .../agent/__main__.py scenario FILE FUNCTION` or `script FILE ARGS`.

`launch DEVICE RANKS FILE FUNCTION` starts it on several ranks.

Run by path with any interpreter that has MLX; mlxprobe itself need not be installed there.
"""

from __future__ import annotations

import importlib.util
import os
import sys


def _find_package() -> None:
    """Make `mlxprobe` importable from where this file lies, without putting its neighbours on the path."""
    root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    sys.path[:] = [entry for entry in sys.path if os.path.abspath(entry) != os.path.join(root, "agent")]
    if "mlxprobe" in sys.modules:
        return
    spec = importlib.util.spec_from_file_location(
        "mlxprobe", os.path.join(root, "__init__.py"), submodule_search_locations=[root]
    )
    assert spec is not None and spec.loader is not None
    package = importlib.util.module_from_spec(spec)
    sys.modules["mlxprobe"] = package
    spec.loader.exec_module(package)


_find_package()  # also in a worker that multiprocessing spawned, which imports this file as its main module

if __name__ == "__main__":
    from mlxprobe.agent.lifecycle import main

    sys.exit(main.main(sys.argv[1:]))
