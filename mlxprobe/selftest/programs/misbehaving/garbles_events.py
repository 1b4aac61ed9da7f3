"""Write what is no event to the agent's descriptor, then end well."""

import os
import sys
from typing import Any

frame: Any = sys._getframe()
while "channel" not in frame.f_locals:
    frame = frame.f_back
os.write(frame.f_locals["channel"]._fd, b"\x00\xff{]\n[1, 2]\n")
