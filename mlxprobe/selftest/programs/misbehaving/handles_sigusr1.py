"""Leave on SIGUSR1, as training scripts under a batch system do, and else run for longer than half the stall limit."""

import os
import signal
import time

signal.signal(signal.SIGUSR1, lambda *_: os._exit(3))
time.sleep(0.8)
