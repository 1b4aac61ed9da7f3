"""A deadlock is told with the other threads that stand in the user's own lines."""

from making import seen

from mlxprobe.diagnosis import diagnose
from mlxprobe.values.observation import Frame, Silence, Stack
from mlxprobe.values.vocabulary import HangKind, Whose


def own(line: int) -> Frame:
    return Frame(file="/home/train.py", line=line, function="f", code="with lock:")


def test_the_thread_that_has_come_furthest_is_named_first() -> None:
    library = Frame(file="queue.py", line=1, function="get", whose=Whose.LIBRARY)
    threads = ((own(20),), (own(15), own(26)), (library, own(3)), (library, own(37)))
    stacks = tuple(Stack(pid=1, thread=str(k), frames=frames) for k, frames in enumerate(threads))
    silence = Silence(silent_s=6.0, cpu_s=0.0, kind=HangKind.DEADLOCK, stacks=stacks)
    (one,) = [one for one in diagnose(seen(silence=silence, ended="stalled")) if one.code == "MP603"]
    assert one.line == 37
    places = [part.rpartition("another thread stands at ")[2] for part in one.message.split("; ")[1:]]
    assert places == ["train.py:15 (with lock:)", "train.py:20 (with lock:)"]
