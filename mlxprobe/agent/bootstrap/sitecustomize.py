"""Carried into any Python by PYTHONPATH: record that it has started, and prepare for the agent from Python 3.10 on.

Python imports a module of this name at its start. The one that it would have found without us follows. Every Python
reads this file, 2.7 as well: it has no functions and no annotations.
"""

import os
import sys

_here = os.path.dirname(os.path.abspath(__file__))
_folder = os.environ.get("MLXPROBE_FOLDER")
_before = _held = None
if _folder and sys.version_info >= (3, 10):  # a Ctrl-C that comes while we load is for the program's own lines
    import _signal  # type: ignore[import-not-found]

    _before = _signal.pthread_sigmask(_signal.SIG_BLOCK, [_signal.SIGINT])
if _folder:
    try:  # a folder that is gone, or a full disk, is no concern of the program
        _line = "{} {} {}\n".format(os.getpid(), ".".join(map(str, sys.version_info[:3])), sys.executable)
        _text = _line.encode("utf-8", "surrogateescape")
        _file = os.open(os.path.join(_folder, "pythons"), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            os.write(_file, _text)
        finally:
            os.close(_file)
    except (OSError, ValueError):
        pass
if _folder and sys.version_info >= (3, 10):  # an older one is not watched
    import importlib.util

    _spec = importlib.util.spec_from_file_location("settling", os.path.join(_here, "settling.py"))
    assert _spec is not None and _spec.loader is not None
    _settling = importlib.util.module_from_spec(_spec)
    try:
        _spec.loader.exec_module(_settling)
        _held = _settling.HELD
        _held.__enter__()
    finally:
        _signal.pthread_sigmask(_signal.SIG_SETMASK, _before)
sys.path[:] = [entry for entry in sys.path if os.path.abspath(entry) != _here]
_ours = sys.modules.pop(__name__)
try:
    if _held is not None and importlib.util.find_spec(__name__) is not None:
        _held.__exit__()  # before what may take its time
        _held = None
    __import__(__name__)  # the one of the environment
except ImportError as _error:
    if getattr(_error, "name", __name__) != __name__:
        raise
finally:
    sys.modules.setdefault(__name__, _ours)  # the import that is under way asks for it
    if _held is not None:
        _held.__exit__()
