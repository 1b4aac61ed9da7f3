"""Kill the parent process that was to end this one, then wait with a detached grandchild."""

import os
import signal
import time

if os.fork() == 0:
    os.setsid()
    while True:
        time.sleep(1000)
os.kill(os.getppid(), signal.SIGKILL)
while True:
    time.sleep(1000)
