"""Delete the temporary folder and stand in it, then wait for ever."""

import os
import shutil
import tempfile
import threading

if not os.path.basename(os.environ.get("TMPDIR", "")).startswith("mlxprobe-"):
    raise SystemExit("this deletes the temporary folder: `mlxprobe selftest` runs it where that does no harm")
os.chdir(tempfile.gettempdir())
shutil.rmtree(tempfile.gettempdir())
threading.Event().wait()
