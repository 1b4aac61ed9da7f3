"""One table of settings, their checks, and the limits of the machine."""
