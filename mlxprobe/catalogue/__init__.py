"""How a scenario is declared, and how its file is found and read."""
