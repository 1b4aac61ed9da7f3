"""pytest: scenarios as items, the marker for users' tests."""
