"""Delete the temporary folder and stand in it, then wait for ever."""

import os
import shutil
import tempfile
import threading

os.chdir(tempfile.gettempdir())
shutil.rmtree(tempfile.gettempdir())
threading.Event().wait()
