"""Objects that record what is asked of them: the tests copy this file beside the programs that they watch.

With `RECORD_RAISES` every access from the agent's own code raises, so that nothing of ours can pass by chance.
"""

import atexit
import collections
import os
import sys

RAISES = bool(os.environ.get("RECORD_RAISES"))
OURS = os.path.join("mlxprobe", "agent", "")
SEEN = collections.Counter()


def note(kind, name):
    frame = sys._getframe(2)
    while frame.f_code.co_filename == __file__:
        frame = frame.f_back
    SEEN[f"{kind} {name}"] += 1
    if OURS in frame.f_code.co_filename:
        SEEN[f"{kind} {name} by {frame.f_code.co_filename.rpartition(OURS)[2]}:{frame.f_lineno}"] += 1
        if RAISES:
            raise RuntimeError(f"{name} of {kind}")


def write():
    with open(os.environ["RECORD_FILE"], "w") as file:
        file.writelines(f"{what}: {count}\n" for what, count in sorted(SEEN.items()))


if "RECORD_FILE" in os.environ:
    atexit.register(write)


class Plain:
    """Takes any attribute for one that it is to have."""

    def __getattribute__(self, name):
        note("Plain", name)
        return object.__getattribute__(self, name)

    def __getattr__(self, name):
        made = Made()
        object.__setattr__(self, name, made)
        return made

    def __eq__(self, other):
        note("Plain", "==")
        return self is other

    def __hash__(self):
        note("Plain", "hash")
        return 7

    def __bool__(self):
        note("Plain", "bool")
        return True

    def __repr__(self):
        note("Plain", "repr")
        return "Plain()"


class Rows(Plain):
    """A data set of its own kind, that can be called too."""

    def __len__(self):
        note("Rows", "len")
        return 4

    def __iter__(self):
        note("Rows", "iter")
        return iter([1, 2, 3, 4])

    def __getitem__(self, place):
        note("Rows", "[]")
        return place

    def __call__(self, one):
        note("Rows", "call")
        return one


class Made(dict):
    """A configuration that makes the sections that it is asked for, as traitlets' and Box do."""

    def __getattribute__(self, name):
        note("Made", name)
        return dict.__getattribute__(self, name)

    def __getattr__(self, name):
        return self[name]

    def __missing__(self, key):
        note("Made", f"makes {key}")
        made = Made()
        dict.__setitem__(self, key, made)
        return made

    def __getitem__(self, key):
        note("Made", "[]")
        return dict.__getitem__(self, key) if dict.__contains__(self, key) else self.__missing__(key)

    def __iter__(self):
        note("Made", "iter")
        return dict.__iter__(self)

    def __len__(self):
        note("Made", "len")
        return dict.__len__(self)

    def __contains__(self, key):
        note("Made", "in")
        return dict.__contains__(self, key)

    def __bool__(self):
        note("Made", "bool")
        return True

    def items(self):
        note("Made", "items()")
        return dict.items(self)

    def values(self):
        note("Made", "values()")
        return dict.values(self)

    def keys(self):
        note("Made", "keys()")
        return dict.keys(self)

    def get(self, key, otherwise=None):
        note("Made", "get()")
        return dict.get(self, key, otherwise)


class Several(list):
    """A list that counts its readers."""

    def __getattribute__(self, name):
        note("Several", name)
        return list.__getattribute__(self, name)

    def __iter__(self):
        note("Several", "iter")
        return list.__iter__(self)

    def __len__(self):
        note("Several", "len")
        return list.__len__(self)

    def __getitem__(self, place):
        note("Several", "[]")
        return list.__getitem__(self, place)


class Kind(type):
    """The class of a class that records what the class is asked for."""

    def __getattribute__(cls, name):
        note("Kind", name)
        return type.__getattribute__(cls, name)


class Classed(metaclass=Kind):
    """An object whose class records."""


PLAIN, ROWS, MADE, SEVERAL, CLASSED = Plain(), Rows(), Made(), Several([1, 2.5]), Classed()
dict.__setitem__(MADE, "section", Made())
ALL = [PLAIN, ROWS, MADE, SEVERAL, CLASSED]
NAMED = {"plain": PLAIN, "rows": ROWS, "made": MADE, "several": SEVERAL, "classed": CLASSED}
