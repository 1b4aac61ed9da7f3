"""Stop the parent process that was to end this one, then wait for ever."""

import os
import signal
import threading

if not os.path.basename(os.environ.get("TMPDIR", "")).startswith("mlxprobe-"):
    raise SystemExit("this stops its parent process: `mlxprobe selftest` runs it where that does no harm")
os.kill(os.getppid(), signal.SIGSTOP)
threading.Event().wait()
