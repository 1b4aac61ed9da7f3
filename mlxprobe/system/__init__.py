"""What differs between systems, behind one interface: Linux's own ways, and those of any POSIX system.

No other package asks which system this is, or reads what one system alone offers. This file imports almost nothing;
`kin` (for reapers) and `self_process` (for the agent) import the standard library alone; `system` is for reading
processes from outside.
"""

from __future__ import annotations

import os
import sys

VARIABLE = "MLXPROBE_PLATFORM"
PORTABLE, OF_LINUX = "portable", "linux"
NAME = sys.platform  # as Python and its packages call it
MAC = NAME == "darwin"
LINUX = NAME == "linux" and os.environ.get(VARIABLE) != PORTABLE  # and Linux's own ways are taken
