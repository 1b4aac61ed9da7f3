"""Write to the agent's descriptor for ever, without an end of line."""

import os
import select
import sys
from typing import Any

frame: Any = sys._getframe()
while "channel" not in frame.f_locals:
    frame = frame.f_back
fd = frame.f_locals["channel"]._fd
while True:
    select.select([], [fd], [])
    os.write(fd, b"x" * 65536)
