"""Run Python code in three threads for ever, while the main thread waits in C."""

import ctypes
import threading


def depth(n: int) -> int:
    return 0 if n == 0 else 1 + depth(n - 1)


def compute() -> None:
    while True:
        depth(50)


for _ in range(3):
    threading.Thread(target=compute, daemon=True).start()
while True:
    ctypes.CDLL(None).sleep(1000)
