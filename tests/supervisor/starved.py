"""Wait for a worker thread that gets next to no processor: it comes last on a core that others keep busy."""

import contextlib
import hashlib
import os
import threading
from pathlib import Path


def work() -> None:
    with contextlib.suppress(OSError):  # priorities are those of sessions, where the kernel groups by them
        Path("/proc/self/autogroup").write_text("19")
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    hashlib.pbkdf2_hmac("sha256", b"", b"", 200_000)


worker = threading.Thread(target=work)
worker.start()
worker.join()
