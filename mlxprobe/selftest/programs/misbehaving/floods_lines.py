"""Write empty lines to the agent's descriptor for ever."""

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
    os.write(fd, b"\n" * 65536)
