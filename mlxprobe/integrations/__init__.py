"""Notebooks and trainers of other packages. None of them is imported before it is used."""
