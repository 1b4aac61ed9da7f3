"""Runs inside the watched process; imports the standard library and mlx, nothing else."""
