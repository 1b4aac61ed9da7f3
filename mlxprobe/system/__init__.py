"""What differs between systems, behind one interface: Linux's own ways, and those of any POSIX system.

Nothing else in this package asks which system this is, or reads what one system alone offers. Here stands what may be
imported by anybody in no time; `kin` is for reapers and `inside` for the agent, with the standard library alone, and
`system` for whoever looks at processes from outside.
"""

from __future__ import annotations

import os
import sys

VARIABLE = "MLXPROBE_PLATFORM"
PORTABLE, OF_LINUX = "portable", "linux"
NAME = sys.platform  # as Python and its packages call it
MAC = NAME == "darwin"
LINUX = NAME == "linux" and os.environ.get(VARIABLE) != PORTABLE  # and Linux's own ways are taken
