"""Sleep in C without the interpreter's lock, again whenever a signal ends the sleep."""

import ctypes

libc = ctypes.CDLL(None)
while True:
    libc.sleep(1000)
