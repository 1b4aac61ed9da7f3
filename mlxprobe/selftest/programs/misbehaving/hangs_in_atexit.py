"""End well, then wait for ever in an exit handler."""

import atexit
import threading

atexit.register(lambda: threading.Event().wait())
