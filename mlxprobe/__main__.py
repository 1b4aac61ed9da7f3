"""`python -m mlxprobe`."""

from mlxprobe.cli import entry_point

entry_point()
