"""What a model is made of, and what its outputs depend on."""
