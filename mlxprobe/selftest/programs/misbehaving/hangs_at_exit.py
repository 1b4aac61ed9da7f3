"""End well, but leave a thread that the interpreter waits for."""

import threading

threading.Thread(target=threading.Event().wait).start()
