"""Two factors beside a base weight, and their files."""
