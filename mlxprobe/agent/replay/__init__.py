"""Calls of the program's own functions made again, on changed inputs."""
