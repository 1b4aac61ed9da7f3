"""Take 4 MB at a time for ever, every page touched."""

taken = []
while True:
    taken.append(b"x" * 4_000_000)
