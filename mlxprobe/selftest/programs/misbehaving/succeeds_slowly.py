"""Run for longer than the stall limit, always moving, and end well."""

import sys
import time
from typing import Any

frame: Any = sys._getframe()
while "recorder" not in frame.f_locals:
    frame = frame.f_back
for _ in range(25):
    began_s = time.monotonic()
    time.sleep(0.1)
    frame.f_locals["recorder"].evaluated(began_s)
print("done")
