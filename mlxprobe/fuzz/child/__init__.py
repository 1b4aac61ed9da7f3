"""Runs inside the watched process: calls MLX as cases say, and tells numbers; imports NumPy and MLX alone."""
