"""Start a program before anything is imported that only watching it needs: that can be done while it imports MLX."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from mlxprobe.schema.errors import UsageError
from mlxprobe.schema.program import Program
from mlxprobe.supervisor import kernel_cache
from mlxprobe.supervisor.child import Child
from mlxprobe.supervisor.scratch import Scratch
from mlxprobe.supervisor.stacks import Stacks
from mlxprobe.supervisor.target import Target


class Started(NamedTuple):
    """A program that has been started, and the files that its stacks go to."""

    program: Program
    child: Target
    stacks: Stacks


@contextlib.contextmanager
def started(program: Program, jit_key: str = "") -> Iterator[Started]:
    """Start a program, and leave nothing of it behind.

    Args:
        program: what to run, and with which interpreter.
        jit_key: names the cache of MLX's compiled CPU kernels that this program may share; empty for none.

    Raises:
        ProbeError: the process could not be started at all.
        UsageError: the system did not execute the program.
    """
    with Scratch() as folder:
        kernel_cache.lend(folder, jit_key)
        with Stacks(folder) as stacks, Child(program, folder) as child:
            yield Started(program, child, stacks)
            if child.unstarted:
                raise UsageError(child.unstarted)


@contextlib.contextmanager
def hosted(program: Program, pid: int, ears: Sequence[int]) -> Iterator[Started]:
    """Take in a process that runs already, for one stay of the agent in it.

    Args:
        program: what it is called.
        pid: the process.
        ears: descriptors that wake the loop.

    Raises:
        ProbeError: no folder for its events can be made.
    """
    from mlxprobe.supervisor.external_process import ExternalProcess

    with Scratch() as folder, Stacks(folder) as stacks, contextlib.closing(ExternalProcess(pid, folder, ears)) as host:
        yield Started(program, host, stacks)
