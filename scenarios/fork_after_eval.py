"""A process forks after MLX has evaluated, and the forked worker evaluates.

Symptom: a data worker never answers; no process uses any CPU. On a CUDA device the worker dies of SIGSEGV.
Cause: fork copies MLX's streams and queues, but none of the threads that serve them. The worker's first evaluation
    waits for a thread that does not exist.
Fix: `multiprocessing.get_context("spawn")`; or fork before anything is evaluated.
"""

import multiprocessing

import mlx.core as mx

from mlxprobe import Outcome, Scenario

probe = Scenario()


def prepare(batches):
    """Work out a batch of tokens, and send it as plain numbers."""
    tokens = mx.arange(64).reshape(4, 16)
    batches.put(((5 * tokens + 7) % 64).tolist())


def fetch(worker, batches):
    """Wait for the worker, and return its batch."""
    worker.join()
    if worker.exitcode:
        raise RuntimeError(f"the data worker ended with exit code {worker.exitcode}")
    return mx.array(batches.get())


@probe.correct
def spawned():
    """Start the worker as a fresh interpreter."""
    context = multiprocessing.get_context("spawn")
    scale = mx.sqrt(mx.array(64.0))
    mx.eval(scale)
    batches = context.Queue()
    worker = context.Process(target=prepare, args=(batches,))
    worker.start()
    return fetch(worker, batches) / scale


@probe.broken(expects={"cpu": Outcome.HANG, "gpu": Outcome.ERROR}, raises="exit code", finds=["MP601"])
def forked_after_an_evaluation():
    """Fork the worker when MLX has evaluated in the parent."""
    context = multiprocessing.get_context("fork")
    scale = mx.sqrt(mx.array(64.0))
    mx.eval(scale)
    batches = context.Queue()
    worker = context.Process(target=prepare, args=(batches,))
    worker.start()
    return fetch(worker, batches) / scale


@probe.mitigation(expects={"cpu": Outcome.PASS, "gpu": Outcome.ERROR}, raises="exit code")
def forked_before_any_evaluation():
    """Fork the worker first, and evaluate in the parent afterwards."""
    context = multiprocessing.get_context("fork")
    batches = context.Queue()
    worker = context.Process(target=prepare, args=(batches,))
    worker.start()
    scale = mx.sqrt(mx.array(64.0))
    mx.eval(scale)
    return fetch(worker, batches) / scale
