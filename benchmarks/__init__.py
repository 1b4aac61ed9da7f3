"""Scripts that print the figures of the documentation; each runs alone: `python -m benchmarks.NAME`."""
