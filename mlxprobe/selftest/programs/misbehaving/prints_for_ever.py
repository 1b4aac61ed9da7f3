"""Print lines for ever: output is no progress."""

while True:
    print("still here")
