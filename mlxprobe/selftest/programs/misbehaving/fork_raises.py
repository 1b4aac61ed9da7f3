"""Fork a process that raises, and end well without it."""

import os

pid = os.fork()
if pid == 0:
    raise RuntimeError("the worker failed")
os.waitpid(pid, 0)
