"""Findings about gradients and updates: one defect, one file."""
