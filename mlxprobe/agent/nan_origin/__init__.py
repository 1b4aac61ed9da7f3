"""Where a value that is not finite comes from: the last gradient calls are held, and one of them is taken again."""
