"""Fork a process that runs to the program's end, then leave in the middle."""

import os

pid = os.fork()
if pid:
    os.waitpid(pid, 0)
    os._exit(0)
