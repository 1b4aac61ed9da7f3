"""Train while a signal handler raises at one place of the agent's code after the other: name what is left over."""

import contextlib
import gc
import os
import random
import signal
import sys
import threading
import time

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
from mlx.utils import tree_flatten

PLACES = 150


class Out(Exception):
    pass


fired = 0


def handler(*_):
    global fired  # noqa: PLW0603 - a program as people write it
    fired += 1
    raise Out


signal.signal(signal.SIGUSR1, handler)


def one(name):
    of_ours = (o for o in gc.get_objects() if type(o).__module__.startswith("mlxprobe"))
    return next(o for o in of_ours if type(o).__name__ == name)


recorder, inspection, calls = one("Recorder"), one("Inspection"), one("GradientCalls")
nesting, ours = inspection.nesting, type(recorder).gradient_begins.__code__.co_filename.rsplit("recording", 1)[0]


class Interruption:
    """Send the signal when the agent calls a function for the n-th time: there Python looks for signals."""

    def __init__(self, at):
        self.at, self.calls, self.place = at, 0, ""

    def __call__(self, frame, event, _):
        file, back = frame.f_code.co_filename, frame.f_back
        ends = file == contextlib.__file__ and back is not None and back.f_code.co_filename.startswith(ours)
        if (ends or file.startswith(ours)) and frame.f_code.co_name != "<genexpr>":
            self.calls += 1
            if self.calls == self.at:
                self.place = f"{os.path.basename(frame.f_code.co_filename)}:{frame.f_lineno}"
                sys.settrace(None)
                signal.raise_signal(signal.SIGUSR1)


mx.random.seed(7)
model, optimizer = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2)), optim.Adam(0.01)
x, y = mx.random.normal((4, 3)), mx.ones((4, 2))
gradients = nn.value_and_grad(model, lambda m, x, y: ((m(x) - y) ** 2).mean())
held = [model.state, optimizer.state]


def update(x, y):
    loss, grads = gradients(model, x, y)
    optimizer.update(model, grads)
    return loss


def loading(x, y):
    model.load_weights(list(tree_flatten(model.parameters())))
    return mx.array(0.0)


compiled = mx.compile(update, inputs=held, outputs=held)
step = {"eager": update, "compiled": compiled, "loading": loading}[sys.argv[1]]


def state():
    return {
        "deaf": recorder.deaf,
        "busy": inspection.busy,
        "traces": (inspection.tracing, len(nesting.tracing)),
        "within": (nesting.depth, nesting.mapped, nesting.recomputed, inspection.inside, nesting.shadow),
        "replays": (nesting.replay, nesting.replays, nesting.glances, nesting.reached is None),
        "hides": nesting.peaks.hides,
        "profile": sys.getprofile(),
        "collects": gc.isenabled(),
        "mask": signal.pthread_sigmask(signal.SIG_BLOCK, ()),
        "stack": threading.stack_size(),
        "parts": len(inspection._inspectors),
        "makes": calls._making,
    }


kept = []


def run(at):
    """Make a step that is looked at, with an interruption; return it, and whether its exception has come."""
    inspection.due = True
    recorder.wake()
    interruption, has_come = Interruption(at), False
    sys.settrace(interruption)
    try:
        loss = step(x, y)
        mx.eval(held, loss)
        loss.item()
    except Out as error:
        has_come = True
        kept.append(error)  # what it holds is let go of later, or never
    finally:
        sys.settrace(None)
    return interruption, has_come


for _ in range(5):
    run(0)
whole, before, caught, wrong = run(0)[0].calls, state(), 0, []
random.seed(0)
for at in sorted(random.sample(range(1, whole + 1), min(PLACES, whole))):
    interruption, has_come = run(at)
    caught += has_come
    if interruption.place and not has_come:
        wrong.append(f"lost at {interruption.place}")
    now = state()
    wrong += [f"{name} after {interruption.place}: {now[name]}" for name in before if now[name] != before[name]]
ends_s = time.monotonic() + 60
while recorder.log._turn and time.monotonic() < ends_s:
    time.sleep(0.01)  # another thread may be sending
if recorder.log._turn:
    wrong.append("a turn is not given back")
print("fired", fired, "caught", caught)
print("wrong:", *wrong or ["none"])
