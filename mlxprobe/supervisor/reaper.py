"""The parent of one watched program, and the one who ends what is left of it.

A process of its own, with what imports at once only. It starts the program in a new session, adopts whatever
the program's tree orphans (Linux), and kills the whole tree on an order, or when its control line closes because
the supervisor is gone. A program in the supervisor's own session is the user's run: it goes on then, and also where
this process is killed. Its words are `CONTROL_FD EVENTS_FD`, the latter -1 where the program opens its events by name;
what to start comes over the control line (see `orders`), for it may be called before anybody knows.

Out: `pid N`, `unstarted REASON`, `exit STATUS`, `orphan PID STATUS`, at last `empty`, `left PID...` or, after `leave`,
`running PID...`. In: `term`, `kill`, `leave`, `signal N TIME`, `done`.
"""

from __future__ import annotations

import fcntl
import os
import select
import signal
import time

from mlxprobe.supervisor.spawn_request import ordered
from mlxprobe.system.kin import kin

TYPE_CHECKING = False  # as `typing` has it, for which a reaper would wait
if TYPE_CHECKING:
    from collections.abc import Iterable

END_WITHIN_S = 5.0
LEFT_WITHIN_S = 0.3  # for what is about to end with the program
FREED_WITHIN_S = 1.0  # for what frees the shared memory of a program that is killed
ENDING = ("SIGALRM", "SIGVTALRM", "SIGPROF", "SIGIO", "SIGPWR", "SIGXCPU", "SIGSTKFLT")  # each where the system has it
SHARED: tuple[int, ...] = (  # signals that would end us, and that the program may handle
    *(signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2),
    *(getattr(signal, name) for name in ENDING if hasattr(signal, name)),
    *(range(signal.SIGRTMIN, signal.SIGRTMAX + 1) if hasattr(signal, "SIGRTMIN") else ()),
)
PYTHONS = (signal.SIGPIPE, signal.SIGXFSZ)  # the interpreter ignores them by itself
TWICE_S = 0.1  # a signal that we get too within this time went to the whole group
LATE_S = 60.0  # the longest delay with which the supervisor gets it


def main(words: list[str]) -> None:
    """Start the program, obey the supervisor, leave nothing behind."""
    control, events = map(int, words)
    if not (given := ordered(control)):
        return
    (folder, session), argv, environment, blocked, descriptors = given
    ignored = [number for number in (*SHARED, signal.SIGCHLD) if signal.getsignal(number) is signal.SIG_IGN]  # nohup
    kin.adopt(folder)
    share_lock(folder)
    os.set_inheritable(control, False)  # the program could hold the line open, or speak for us
    wake = wake_on_sigchld()
    program, reason = start(argv, environment, events, session, (ignored, list(map(int, blocked))))
    signal.pthread_sigmask(signal.SIG_SETMASK, [])  # our starter blocked what would have ended us
    let_go(events)
    give_up(map(int, descriptors))
    tell(control, f"pid {program}")
    if reason:
        tell(control, f"unstarted {reason}")
    obey(control, wake, program, outlives=session == "same")
    if not is_done(control):  # the supervisor is gone, and cannot remove the folder
        import shutil

        shutil.rmtree(folder, ignore_errors=True)
    os._exit(0)  # the supervisor waits for it, and Python's own end would take longer than all the rest here


def share_lock(folder: str) -> None:
    """Share the supervisor's lock on the temporary folder (see `scratch`) for as long as we live."""
    try:
        fcntl.flock(os.open(folder, os.O_RDONLY), fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:  # gone, or on a file system without locks
        pass


def wake_on_sigchld() -> int:
    """Return a descriptor that gives the numbers of the signals that come: a child has ended, or one we share."""
    wake_read, wake_write = os.pipe()
    for fd in (wake_read, wake_write):
        os.set_blocking(fd, False)
    signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
    for number in (*SHARED, signal.SIGCHLD):
        signal.signal(number, lambda *_: None)
    return wake_read


def start(
    argv: list[str], environment: list[str], events: int, session: str, signals: tuple[list[int], list[int]]
) -> tuple[int, str]:
    """Fork and execute the program with the ignored and the blocked `signals` of our starter.

    In a session of its own it dies with us (Linux); in the supervisor's session it lives on.

    Returns:
        its process number, and why it could not be executed: empty where it was.
    """
    reaper = os.getpid()
    reads, writes = os.pipe()  # both close when the program is executed
    pid = os.fork()
    if pid:
        os.close(writes)
        reason = os.read(reads, 1000)
        os.close(reads)
        return pid, reason.decode()
    try:
        if session == "own":
            os.setsid()
            kin.die_with_parent(signal.SIGKILL)
            if os.getppid() != reaper:  # it was gone before that was asked for
                os._exit(127)
        for number in (*SHARED, *PYTHONS, signal.SIGCHLD):
            signal.signal(number, signal.SIG_IGN if number in signals[0] else signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, signals[1])
        if events >= 0:
            os.set_inheritable(events, True)
        os.execvpe(argv[0], argv, dict(one.split("=", 1) for one in environment))
    except OSError as error:
        os.write(writes, str(error.strerror).encode())
    finally:
        os._exit(127)


def let_go(events: int) -> None:
    """Give up the program's pipes, so that they end when it closes them."""
    null = os.open(os.devnull, os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(null, fd)
    if events >= 0:
        os.close(events)


def give_up(descriptors: Iterable[int]) -> None:
    """Release our copies of descriptors that the program was handed, so that each ends when it closes its own.

    Their numbers stay taken: no file of ours is to get one that other code in this process may know.
    """
    null = os.open(os.devnull, os.O_RDWR)
    for fd in descriptors:
        try:
            os.dup2(null, fd, inheritable=False)
        except OSError:  # above the limit of open files
            os.close(fd)
    os.close(null)


def obey(control: int, wake: int, program: int, *, outlives: bool) -> None:
    """Reap, and carry out orders, until the order to kill is done.

    The supervisor's end is such an order, unless the program outlives it: then until the program has ended.
    """
    ears = select.poll()  # select() takes no descriptor above 1023, and the supervisor may have many
    ears.register(control, select.POLLIN)
    ears.register(wake, select.POLLIN)
    shared: dict[int, list[float]] = {}  # when a signal came to us too, unless it is accounted for
    asked: dict[int, tuple[float, float]] = {}  # when the supervisor got one, and when we were asked to hand it on
    while True:
        ready = {fd for fd, _ in ears.poll(1000 * TWICE_S / 2 if asked else None)}
        if wake in ready:
            note(drain(wake), shared)
            reap(control, program)
        hand_on(program, asked, shared)
        if control in ready:
            orders = hear(control)
            if "term" in orders:
                signal_all(program, descendants(program), signal.SIGTERM)
            for order in orders:
                if order.startswith("signal "):
                    number, came_s = order.split()[1:]
                    asked.setdefault(int(number), (float(came_s), time.monotonic()))
            if not orders and outlives:
                await_end(program)
                return
            if "kill" in orders or not orders:
                left = kill_all(control, program)
                tell(control, "left " + " ".join(map(str, left)) if left else "empty")
                return
            if "leave" in orders:
                running = left_running(control, program)
                tell(control, "running " + " ".join(map(str, running)) if running else "empty")
                return


def note(numbers: bytes, shared: dict[int, list[float]]) -> None:
    """Note when signals came to us."""
    for number in numbers:
        shared.setdefault(number, []).append(time.monotonic())


def hand_on(program: int, asked: dict[int, tuple[float, float]], shared: dict[int, list[float]]) -> None:
    """Send the program what only the supervisor got; what went to the whole group, as Ctrl-C does, it has already.

    A signal that came to us before the supervisor got its own was the same one: the system keeps one of a kind waiting.
    """
    for number, (came_s, asked_s) in list(asked.items()):
        if time.monotonic() - asked_s > TWICE_S:
            del asked[number]
            ours = [one for one in shared.pop(number, []) if one >= came_s - LATE_S]
            if ours:
                later = [one for one in ours if one > came_s + TWICE_S]
                shared[number] = later if len(later) < len(ours) else later[1:]
            else:
                os.kill(program, number)


def is_done(control: int) -> bool:
    """Wait for a limited time until the supervisor is done; return whether it said so."""
    line = select.poll()
    line.register(control, select.POLLIN)
    return bool(line.poll(1000 * END_WITHIN_S)) and "done" in hear(control)


def hear(control: int) -> list[str]:
    """Read orders; there are none where the supervisor is gone."""
    try:
        heard = os.read(control, 4096).decode()
    except OSError:  # it was killed before it had read all that we sent
        heard = ""
    return heard.split("\n") if heard else []


def await_end(program: int) -> None:
    """Reap until the program, which outlives its supervisor, has ended."""
    try:
        os.kill(program, 0)  # it may have been reaped before
        while os.waitpid(-1, 0)[0] != program:
            pass
    except (ChildProcessError, ProcessLookupError):
        return


def reap(control: int, program: int, *, ending: bool = False) -> bool:
    """Collect every child that has ended; return whether none is left."""
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return True
        if pid == 0:
            return False
        if pid == program or (status and not ending):  # at the end it is we who kill
            word = "exit" if pid == program else f"orphan {pid}"
            tell(control, f"{word} {os.waitstatus_to_exitcode(status)}")


def left_running(control: int, program: int) -> list[int]:
    """Return what lives on after the program's end."""
    deadline = time.monotonic() + LEFT_WITHIN_S
    while True:
        childless = reap(control, program)
        living = [] if childless and kin.adopts else descendants(program)
        if not living or time.monotonic() > deadline:
            return living
        time.sleep(0.01)


def kill_all(control: int, program: int) -> list[int]:
    """Kill the tree round by round until it is gone; return the processes that would not die.

    Python's resource tracker frees the shared memory of what is killed, and then ends by itself.
    """
    deadline = time.monotonic() + END_WITHIN_S
    freed = time.monotonic() + FREED_WITHIN_S
    while True:
        childless = reap(control, program, ending=True)
        living = [] if childless and kin.adopts else descendants(program)
        if (childless and not living) or time.monotonic() > deadline:
            return living
        spared = {pid for pid in living if kin.frees(pid)} if time.monotonic() < freed else set()
        group, doomed = 0 if spared else program, [pid for pid in living if pid not in spared]
        signal_all(group, doomed, signal.SIGSTOP)  # what is stopped cannot fork while the others are killed
        signal_all(group, doomed, signal.SIGKILL)
        time.sleep(0.002)


def signal_all(group: int, living: list[int], number: int) -> None:
    """Signal the program's process group at one blow, unless it is 0, then each process."""
    try:
        if group:
            os.killpg(group, number)
    except OSError:
        pass
    for pid in living:
        try:
            os.kill(pid, number)
        except OSError:
            continue


def descendants(program: int) -> list[int]:
    """List the living processes below this one; where orphans cannot be adopted, with those of the program's group."""
    parents = kin.parents(program)
    found = {os.getpid()}
    grew = True
    while grew:
        more = {pid for pid, parent in parents.items() if parent in found} - found
        found |= more
        grew = bool(more)
    return sorted(found - {os.getpid()})


def tell(control: int, message: str) -> None:
    """Send a line to the supervisor, who may be gone."""
    try:
        os.write(control, message.encode() + b"\n")
    except OSError:
        pass


def drain(fd: int) -> bytes:
    """Empty the wake-up pipe, and return the numbers of the signals."""
    numbers = b""
    try:
        while more := os.read(fd, 4096):
            numbers += more
    except BlockingIOError:
        pass
    return numbers
