"""One table of settings, their checks, and what the machine has."""
