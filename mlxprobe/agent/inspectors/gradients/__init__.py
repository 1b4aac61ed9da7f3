"""What gradients are, and what becomes of them before an update."""
