"""Report that the agent could not start, with what is bound at Python's start alone."""

from collections.abc import Mapping

from mlxprobe.agent.wire import bound
from mlxprobe.agent.wire.constants import EVENTS_FILE, FOLDER_VARIABLE

WRITE_ONLY, NON_BLOCKING = bound.O_WRONLY, bound.O_NONBLOCK
MOST_CHARACTERS = 200


def send(error: Exception, given: Mapping[str, str]) -> None:
    """Send the error to the supervisor; `given` are our variables."""
    try:
        words = f"{type(error).__name__}: {error}"
    except Exception:
        words = type(error).__name__
    plain = "".join(one if one.isprintable() and one not in '"\\' else " " for one in words[:MOST_CHARACTERS])
    where = '"file":"","line":0,"source":"","caller":null'
    line = (
        f'{{"e":"fact","t":{bound.monotonic()},"p":{bound.getpid()},"type":"AgentFailed","step":0,{where},'
        f'"count":1,"fields":{{"error":"{plain}"}}}}\n'
    )
    try:
        fd = bound.open_file(f"{given.get(FOLDER_VARIABLE, '')}/{EVENTS_FILE}", WRITE_ONLY | NON_BLOCKING)
        try:
            bound.write(fd, line.encode(errors="replace"))
        finally:
            bound.close(fd)
    except Exception:  # nothing reads it
        return
