"""Releases side by side: gate, matrix, bisection."""
