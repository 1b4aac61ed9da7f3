"""What batches hold, and where they come from."""
