"""Whose code a file is: decided by the folders that Python and MLX really have, never by the look of a path."""

from __future__ import annotations

import os
import site
import sys
import sysconfig
from collections.abc import Iterator
from importlib.machinery import PathFinder

from mlxprobe.agent.patching.interrupts import QUIETLY

OWN, PACKAGE, LIBRARY = "own", "package", "library"
GENERATED = "generated"  # text that some library made into code: it shows less than who called it
AGENT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
SYSTEM, PROTOCOL = (os.path.join(os.path.dirname(AGENT), name) for name in ("system", "protocol"))
INSTALLED = ("site-packages", "dist-packages")
_MADE = ("<string>", "<attrs generated", "<__array_function__")


class Roots:
    """Folders and whose they are. What lies below none of them is the user's own."""

    def __init__(self) -> None:
        self.folders: dict[str, str] = {}
        for ours in (AGENT, SYSTEM, PROTOCOL):
            self.add(ours, LIBRARY)

    def add(self, folder: str, whose: str) -> None:
        """Take in a folder, under its own name and under the one that its links lead to."""
        for name in (folder, os.path.realpath(folder)):
            self.folders.setdefault(os.path.join(name, ""), whose)

    def whose(self, file: str) -> str:
        """Tell whose a file is; of a folder in a folder the inner one decides."""
        if file.startswith("<"):  # a notebook's cell, or what has no file
            return LIBRARY if file.startswith("<frozen") else GENERATED if file.startswith(_MADE) else OWN
        for path in _names(file):
            if found := [root for root in self.folders if path.startswith(root)]:
                return self.folders[max(found, key=len)]
        return OWN


def _names(file: str) -> Iterator[str]:
    """Name a file as it is given, and as its links lead to, unless the program has replaced what finds that out."""
    yield file
    real = file
    with QUIETLY:
        real = os.path.realpath(file)
    yield real


def pythons() -> Iterator[tuple[str, str]]:
    """List the folders of the standard library, and those that packages are installed in."""
    for folder in {os.path.dirname(os.__file__), installed("stdlib"), installed("platstdlib")}:
        yield folder, LIBRARY
        yield from ((os.path.join(folder, name), PACKAGE) for name in INSTALLED)
    yield from ((installed(name), PACKAGE) for name in ("purelib", "platlib", "scripts"))
    yield from ((folder, PACKAGE) for folder in (*site.getsitepackages(), site.getusersitepackages()))
    for folder in sys.path[1:]:  # what a .pth file adds, or an environment over another; the first is the script's own
        if os.path.basename(folder) in INSTALLED:
            yield folder, PACKAGE


def installed(name: str) -> str:
    """Return a folder of this Python's, as `sysconfig.get_path` does without reading how Python was built."""
    known = {
        "base": sys.prefix,
        "platbase": sys.exec_prefix,
        "installed_base": sys.base_prefix,
        "installed_platbase": sys.base_exec_prefix,
        "platlibdir": sys.platlibdir,
        "py_version_short": "{}.{}".format(*sys.version_info),
        "implementation_lower": "python",  # as CPython calls itself there
        "abi_thread": "t" if "t" in getattr(sys, "abiflags", "") else "",
    }
    try:
        return os.path.normpath(sysconfig.get_path(name, expand=False).format(**known))
    except KeyError:  # a scheme of some distribution's own
        return sysconfig.get_path(name)


def mlx(core: str) -> Iterator[tuple[str, str]]:
    """List MLX's folders, given where its core is.

    `mlx` is a namespace: a user's own folder of that name may be part of it, so only where its modules are is MLX's.
    """
    yield _parent(core), LIBRARY
    found = PathFinder.find_spec("mlx.nn", getattr(sys.modules.get("mlx"), "__path__", None))
    if found is not None and found.origin:
        yield _parent(found.origin), LIBRARY


def _parent(origin: str) -> str:
    """Return the folder that a module stands in: a package's is one further up."""
    folder, name = os.path.split(os.path.abspath(origin))
    return os.path.dirname(folder) if name.startswith("__init__.") else folder
