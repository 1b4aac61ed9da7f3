"""Two locks, taken in two orders."""

import threading

import mlx.core as mx

weights, data = threading.Lock(), threading.Lock()
ready = threading.Barrier(2)


def loader():
    with data:
        ready.wait()
        with weights:
            mx.eval(mx.zeros(4))


threading.Thread(target=loader).start()
with weights:
    ready.wait()
    with data:
        mx.eval(mx.ones(4))
