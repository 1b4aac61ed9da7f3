"""MLX's lazy graph, read as it is drawn: what a loss is made of, and of which kind it is."""
