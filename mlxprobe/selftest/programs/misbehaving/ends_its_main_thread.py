"""End the main thread of a detached fork alone: what is left looks like a zombie, but lives."""

import ctypes
import os
import threading
import time

if os.fork() == 0:
    os.setsid()
    threading.Thread(target=time.sleep, args=(1000,)).start()
    ctypes.CDLL(None).pthread_exit(None)
while True:
    time.sleep(1000)
