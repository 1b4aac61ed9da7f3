"""Scripts that print the figures of the documentation and of the releases; each runs alone: `python -m benchmarks.NAME`."""
