"""What ranks of one run show together, held side by side: none of them knows it."""
