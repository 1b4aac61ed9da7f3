"""Kill the parent process that was to end this one, then wait with a detached grandchild."""

import os
import signal
import time

if not os.path.basename(os.environ.get("TMPDIR", "")).startswith("mlxprobe-"):
    raise SystemExit("this kills its parent process: `mlxprobe selftest` runs it where that does no harm")
if os.fork() == 0:
    os.setsid()
    while True:
        time.sleep(1000)
os.kill(os.getppid(), signal.SIGKILL)
while True:
    time.sleep(1000)
