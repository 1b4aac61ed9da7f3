"""Runs outside the watched process: spawn, sample, decide that it is stuck, take stacks, end it."""
