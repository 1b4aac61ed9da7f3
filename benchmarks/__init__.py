"""Scripts that print the figures of the README and of the releases; each runs alone: `python -m benchmarks.NAME`."""
