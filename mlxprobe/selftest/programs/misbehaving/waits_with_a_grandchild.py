"""Wait for ever, beside a detached grandchild that does the same."""

import os
import time

if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        while True:
            time.sleep(1000)
    os._exit(0)
os.wait()
while True:
    time.sleep(1000)
