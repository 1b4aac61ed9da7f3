"""Where people are: a notebook, a trainer of somebody else's. None of them is imported before it is asked for."""
