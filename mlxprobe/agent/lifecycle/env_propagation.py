"""What a watched process hands down: whatever it starts finds the agent too, and its own environment shows none of it.

The variables stay in the environment that the system hands to a new process, and leave the one that Python shows. Where
the program makes an environment of its own for what it starts, or sets PYTHONPATH, they are added again.
"""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from mlxprobe.agent.patching.bound_arguments import Given
from mlxprobe.agent.patching.interrupts import QUIETLY
from mlxprobe.agent.patching.signatures import like
from mlxprobe.agent.wire.constants import FOLDER_VARIABLE, OWN_VARIABLES, PATH_VARIABLE, SUPERVISOR_VARIABLE

BOOTSTRAP = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "bootstrap")
SEARCHED, ENCODED = "PYTHONPATH", b"PYTHONPATH"
ENVIRONMENT_AT = 5  # the argument of `fork_exec` that is the new process's environment
handed: dict[str, str] = {}  # what every process below gets


def hand_down() -> None:
    """Hide our variables from the program, and hand them to whatever it starts."""
    handed.update(_hidden())
    _wrap()


def _hidden() -> dict[str, str]:
    """Take our variables out of what Python shows, and out of that alone; return them."""
    environment: Any = os.environ
    encode, shown = environment.encodekey, environment._data  # `del os.environ[...]` would take them from the system's
    names = (FOLDER_VARIABLE, SUPERVISOR_VARIABLE, *OWN_VARIABLES)
    found = {name: environment.decodevalue(shown.pop(encode(name))) for name in names if encode(name) in shown}
    before = shown.pop(encode(PATH_VARIABLE), None)
    searched = environment.get(SEARCHED, "").split(os.pathsep)
    if BOOTSTRAP in searched:  # else the program has set its own
        searched.remove(BOOTSTRAP)
        shown[encode(SEARCHED)] = environment.encodevalue(os.pathsep.join(searched))
        if before is None and not searched:
            del shown[encode(SEARCHED)]
    return found


def _wrap() -> None:
    """See to it that our variables reach what the program starts with an environment of its own."""
    import _posixsubprocess

    put, unset = os.putenv, os.unsetenv

    @like(put)
    def putenv(name: Any, value: Any) -> None:
        put(name, value)
        if os.fsencode(name) == ENCODED:
            put(SEARCHED, os.pathsep.join((BOOTSTRAP, os.fsdecode(value))))
            put(PATH_VARIABLE, value)

    @like(unset)
    def unsetenv(name: Any) -> None:
        unset(name)
        if os.fsencode(name) == ENCODED:
            put(SEARCHED, BOOTSTRAP)
            unset(PATH_VARIABLE)

    os.putenv, os.unsetenv = putenv, unsetenv
    os.execve = _with_mapping(os.execve)
    for name in ("posix_spawn", "posix_spawnp"):
        if hasattr(os, name):
            setattr(os, name, _with_mapping(getattr(os, name)))
    given = _posixsubprocess.fork_exec
    _posixsubprocess.fork_exec = _with_list(given)
    subprocess = sys.modules.get("subprocess")
    if getattr(subprocess, "_fork_exec", None) is given:
        setattr(subprocess, "_fork_exec", _posixsubprocess.fork_exec)  # noqa: B010 - no attribute that types know


def _with_mapping(original: Callable[..., Any]) -> Callable[..., Any]:
    given = Given(original, "env")

    @like(original)
    def start(*args: Any, **kwargs: Any) -> Any:
        with QUIETLY:  # the call itself tells what is wrong with it
            (env,) = given(args, kwargs)
            if isinstance(env, Mapping):
                env = completed({os.fsdecode(name): os.fsdecode(value) for name, value in env.items()})
                args, kwargs = given.put(args, kwargs, env)
        return original(*args, **kwargs)

    return start


def _with_list(original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def start(*args: Any) -> Any:
        given = args
        with QUIETLY:
            if len(args) > ENVIRONMENT_AT and args[ENVIRONMENT_AT] is not None:
                listed: Iterable[bytes] = args[ENVIRONMENT_AT]
                pairs = (os.fsdecode(one).partition("=")[::2] for one in listed)
                whole = [os.fsencode(f"{name}={value}") for name, value in completed(dict(pairs)).items()]
                given = (*args[:ENVIRONMENT_AT], whole, *args[ENVIRONMENT_AT + 1 :])
        return original(*given)

    return start


def completed(environment: dict[str, str]) -> dict[str, str]:
    """Return an environment with our variables; as it is where it has some, for another watch has made it."""
    if FOLDER_VARIABLE in environment or not handed:
        return environment
    before = environment.get(SEARCHED)
    given = {} if before is None else {PATH_VARIABLE: before}
    searched = os.pathsep.join(part for part in (BOOTSTRAP, before) if part)
    return environment | handed | given | {SEARCHED: searched}
