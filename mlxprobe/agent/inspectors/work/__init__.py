"""What is computed, kept and written: operations, buffers, files."""
