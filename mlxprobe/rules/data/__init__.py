"""Findings about losses and data: one defect, one file."""
