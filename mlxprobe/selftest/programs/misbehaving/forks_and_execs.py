"""Wait for a forked process that became another program, which has no handler for our signal."""

import os

pid = os.fork()
if pid == 0:
    os.execvp("sleep", ["sleep", "1000"])
os.waitpid(pid, 0)
