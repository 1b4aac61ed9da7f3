"""What is wrapped in MLX: gradients, updates, evaluations, compilation, collectives, loading."""
