"""What is seen of a process that mlxprobe did not start: frozen values. Times are seconds since the look began."""

from __future__ import annotations

from mlxprobe.schema.enums import HangKind, Live
from mlxprobe.schema.observation import Frame, Sample, Stack, Value

LIVE_SCHEMA_VERSION = 1
PROOF_CPU_S = (
    0.2  # of one thread in one evaluation: sending off one step's operations takes some hundredths of a second
)
STARVED_PROOF_CPU_S = 1.0  # on a busy machine, where who looks and who is looked at seldom run at the same time
STARVED = 0.5  # of what it has computed, waited for a processor


def proves(cpu_s: float, waited_s: float) -> bool:
    """Check whether a thread that was never seen elsewhere, while it computed and waited so long, was nowhere else."""
    return cpu_s > (STARVED_PROOF_CPU_S if waited_s > STARVED * cpu_s else PROOF_CPU_S)


class Scope(Value, frozen=True):
    """The innermost function that a thread was in at every look, and between which of its lines it went to and fro."""

    file: str
    function: str
    first: int
    last: int


class LiveThread(Value, frozen=True):
    """A thread at the end of a look: `state` is the kernel's letter, `cpu_s` what it has computed.

    That is counted since the look began, as are the `waited_s` for a processor; `cpu_share` is which part of one it
    had. `looks` is how often its Python stack was read, in vain, for a change, and `proved` whether it got the
    processor to show one. `slept_s` is for how long it had slept by then, also before the look, where the kernel tells
    (None otherwise); `waits` names what it sleeps for, `outer` says that this is not in the hands of the tree alone.
    `python` says whether it runs Python: MLX's own threads do not, and have their `native` calls alone. What stands in
    MLX does not wait for a `bystander`. `scope` is where one keeps to that has moved.
    """

    number: int
    state: str
    name: str = ""
    python: bool = False
    bystander: bool = False
    cpu_share: float = 0.0
    cpu_s: float = 0.0
    waited_s: float = 0.0
    switches: int = 0
    looks: int = 0
    proved: bool = False
    slept_s: float | None = None
    waits: str = ""
    outer: bool = False
    scope: Scope | None = None
    stack: Stack | None = None
    native: tuple[Frame, ...] = ()


class Connection(Value, frozen=True):
    """A network connection of a process; `peer_pid` is who has the other end, where that is a process seen too.

    `unread_bytes` have come and were not taken; `unsent_bytes` the other end has not taken.
    """

    local: str
    remote: str
    state: str
    peer_pid: int = 0
    unread_bytes: int = 0
    unsent_bytes: int = 0


class LiveProcess(Value, frozen=True):
    """One process of the tree: who it is, what it holds, and its threads. `rank` is MLX_RANK's; -1 without it.

    `growth_bytes` is by how much its resident memory rose during the look, `read_pages` how many pages the system had
    to fetch from a disk or from swap for it meanwhile. `may_progress` is false where nothing of MLX can have run during
    the look, nor an import: MLX is not loaded, or none of its threads was on a processor and no Python code of it seen.
    """

    pid: int
    parent: int = 0
    rank: int = -1
    command: tuple[str, ...] = ()
    python: bool = False
    gpu: bool = False
    may_progress: bool = True
    age_s: float = 0.0
    rss_bytes: int = 0
    growth_bytes: int = 0
    swap_bytes: int = 0
    read_pages: int = 0
    cpu_share: float = 0.0
    threads: tuple[LiveThread, ...] = ()
    connections: tuple[Connection, ...] = ()
    samples: tuple[Sample, ...] = ()


class Looked(Value, frozen=True):
    """What one look at a process and all below it has shown.

    `moved` says which processes' Python stacks changed, `compiles` that a compiler worked below it, `kind` how a
    silence was classified, as `watch` does it, and `problems` what could not be seen, each with what would be needed.
    `said` is the end of the file that the stderr of one of them is; empty where it is none.
    """

    pid: int
    looked_s: float
    limit_s: float
    limit_given: bool = False
    ended: bool = False
    moved: tuple[int, ...] = ()
    compiles: bool = False
    kind: HangKind | None = None
    silent_s: float = 0.0
    rest_s: float = 0.0
    processes: tuple[LiveProcess, ...] = ()
    samples: tuple[Sample, ...] = ()
    said: str = ""
    problems: tuple[str, ...] = ()


class Upstream(Value, frozen=True):
    """A hang of MLX itself, or of what is built on it, that others have reported; `thread` is where."""

    name: str
    thread: str
    message: str


class Attached(Value, frozen=True):
    """What `mlxprobe attach` says: the one word, the reason in a line, where MLX stands, and all that was seen."""

    live_schema_version: int
    mlxprobe: str
    time: str
    pid: int
    state: Live
    reason: str
    looked: Looked
    standing: str = ""
    upstream: tuple[Upstream, ...] = ()
