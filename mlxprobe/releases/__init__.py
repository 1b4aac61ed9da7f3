"""MLX releases, their cached environments, and the interpreters in them."""
