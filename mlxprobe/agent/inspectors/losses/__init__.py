"""What a loss is made of, what it is given, and what it says."""
