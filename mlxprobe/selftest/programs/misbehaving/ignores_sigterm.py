"""Ignore every polite request to end, then wait for ever."""

import signal
import threading

for name in ("SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT"):
    signal.signal(getattr(signal, name), signal.SIG_IGN)
threading.Event().wait()
