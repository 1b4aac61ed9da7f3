"""How what others wrote is replaced, and put back; what a wrapper must know; hearing of imports."""
