"""The parent of one watched program, and the one who ends what is left of it.

A process of its own, with the standard library only. It starts the program in a new session, adopts whatever
the program's tree orphans (Linux), and kills the whole tree when told to, or when its control pipe closes because
the supervisor is gone. Called as `warden.py CONTROL_FD EVENTS_FD FOLDER ARGV...`.

Out: `pid N`, `exit STATUS`, then after `kill` `empty` or `left PID...`. In: `term`, `kill`.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import time

END_WITHIN_S = 5.0
PR_SET_CHILD_SUBREAPER = 36


def main(control: int, events: int, folder: str, argv: list[str]) -> None:
    """Start the program, obey the supervisor, leave nothing behind."""
    for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGPIPE"):
        signal.signal(getattr(signal, name), signal.SIG_IGN)
    adopt_orphans()
    wake_read, wake_write = os.pipe()
    for fd in (wake_read, wake_write):
        os.set_blocking(fd, False)
    signal.set_wakeup_fd(wake_write)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    program = start(argv, events)
    for fd in (0, 1, 2, events):
        os.close(fd)
    tell(control, f"pid {program}")
    obey(control, wake_read, program)
    os.close(control)
    import shutil

    shutil.rmtree(folder, ignore_errors=True)


def start(argv: list[str], events: int) -> int:
    """Fork and execute the program in its own session, with default signals."""
    pid = os.fork()
    if pid:
        return pid
    try:
        os.setsid()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGPIPE, signal.SIGCHLD):
            signal.signal(number, signal.SIG_DFL)
        os.set_inheritable(events, True)
        os.execvp(argv[0], argv)
    except OSError as error:
        os.write(2, f"cannot start {argv[0]}: {error}\n".encode())
    finally:
        os._exit(127)


def obey(control: int, wake: int, program: int) -> None:
    """Reap, and carry out orders, until the order to kill (or the supervisor's end) is done."""
    while True:
        ready, _, _ = select.select([control, wake], [], [])
        if wake in ready:
            drain(wake)
            reap(control, program)
        if control in ready:
            orders = os.read(control, 4096).decode().split("\n")
            if "kill" in orders or orders == [""]:
                left = kill_all(control, program)
                tell(control, "left " + " ".join(map(str, left)) if left else "empty")
                return
            if "term" in orders:
                signal_all(program, signal.SIGTERM)


def reap(control: int, program: int) -> bool:
    """Collect every child that has ended; return whether none is left."""
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return True
        if pid == 0:
            return False
        if pid == program:
            tell(control, f"exit {os.waitstatus_to_exitcode(status)}")


def kill_all(control: int, program: int) -> list[int]:
    """Kill the tree round by round until it is gone; return the processes that would not die."""
    deadline = time.monotonic() + END_WITHIN_S
    while not reap(control, program) and time.monotonic() < deadline:
        signal_all(program, signal.SIGSTOP)  # what is stopped cannot fork while the others are killed
        signal_all(program, signal.SIGKILL)
        time.sleep(0.002)
    return descendants(program)


def signal_all(program: int, number: int) -> None:
    """Signal the program's process group and every descendant."""
    try:
        os.killpg(program, number)
    except OSError:
        pass
    for pid in descendants(program):
        try:
            os.kill(pid, number)
        except OSError:
            continue


def descendants(program: int) -> list[int]:
    """List the processes below this one (and, where orphans cannot be adopted, those of the program's session)."""
    parents = parents_on_linux() if sys.platform == "linux" else parents_by_ps()
    found = {os.getpid(), program} & (set(parents) | {os.getpid()})
    grew = True
    while grew:
        more = {pid for pid, parent in parents.items() if parent in found} - found
        found |= more
        grew = bool(more)
    return sorted(found - {os.getpid()})


def parents_on_linux() -> dict[int, int]:
    """Map every process to its parent, zombies left out."""
    parents = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                with open(f"/proc/{entry}/stat", "rb") as file:
                    fields = file.read().rpartition(b")")[2].split()
            except OSError:
                continue
            if fields[0] != b"Z":
                parents[int(entry)] = int(fields[1])
    return parents


def parents_by_ps() -> dict[int, int]:
    """Map every process to its parent with ps(1), for systems without /proc (macOS)."""
    import subprocess

    listing = subprocess.run(
        ["ps", "-A", "-o", "pid=,ppid="], capture_output=True, text=True, timeout=5, check=False
    ).stdout
    return {int(pid): int(parent) for pid, parent in (line.split() for line in listing.splitlines())}


def adopt_orphans() -> None:
    """Become the parent of orphaned descendants, so that none escapes by detaching itself (Linux only)."""
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def tell(control: int, message: str) -> None:
    """Send a line to the supervisor, who may be gone."""
    try:
        os.write(control, message.encode() + b"\n")
    except OSError:
        pass


def drain(fd: int) -> None:
    """Empty the wake-up pipe."""
    try:
        while os.read(fd, 4096):
            pass
    except BlockingIOError:
        pass


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4:])
