"""Functions of MLX that somebody observes: each is wrapped once, in one place, with one guard."""
