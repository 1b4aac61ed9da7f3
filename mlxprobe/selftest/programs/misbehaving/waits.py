"""Wait for ever in plain Python."""

import threading

threading.Event().wait()
