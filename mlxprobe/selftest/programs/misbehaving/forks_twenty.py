"""Fork twenty processes that sleep, and wait for them."""

import os
import time

for _ in range(20):
    if os.fork() == 0:
        while True:
            time.sleep(1000)
os.wait()
