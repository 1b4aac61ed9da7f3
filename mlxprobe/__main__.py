"""`python -m mlxprobe`."""

import os

try:
    from mlxprobe.cli import entry_point

    entry_point()
except KeyboardInterrupt:  # before `entry_point` handles it
    os._exit(130)
