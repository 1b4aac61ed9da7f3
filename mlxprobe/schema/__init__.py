"""Frozen values that cross walls, their words, records in and out."""
