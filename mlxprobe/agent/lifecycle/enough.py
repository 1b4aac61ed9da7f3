"""Stop the program where somebody has seen enough of its steps."""

from __future__ import annotations

from mlxprobe.agent.recording.recorder import Recorder
from mlxprobe.agent.wire import bound

END_WITHIN_S = 15.0


def stand_still(recorder: Recorder, pid: int) -> None:
    """Say that enough was seen, and wait at this very place for the end that the supervisor sends; not in a fork.

    An exception would run the program's own handlers, and `sys.exit` what it does at exit, as if its training were
    done; `os._exit` would lose what it has printed. So it gets what every scheduler sends, SIGTERM. Where nobody ends
    it in time the supervisor is gone, and the program goes on as if nobody had asked.
    """
    recorder.enough_steps = 0
    if bound.getpid() == pid:
        recorder.log.flush(patient=True)
        recorder.at_end()
        recorder.channel.send("enough", n=recorder.step)
        bound.sleep(END_WITHIN_S)
