"""What the hooks tell, put together: steps, losses, phases, peaks, and where the program is among MLX's calls."""
