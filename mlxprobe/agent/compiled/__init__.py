"""Functions of `mx.compile`: their traces, what a trace makes constant, and their insides run once more."""
