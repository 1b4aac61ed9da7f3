"""Check whether this process is a worker of multiprocessing."""

import sys

from mlxprobe.agent.patching.interrupts import QUIETLY

POOL_WORKER = "PoolWorker"  # in the names that `multiprocessing.Pool` gives its processes


def is_pool_worker() -> bool:
    """Check whether this is a worker of `multiprocessing.Pool`, which ends its workers by a signal."""
    with QUIETLY:  # another module in its place
        return POOL_WORKER in sys.modules["multiprocessing.process"].current_process().name
    return False


def is_worker() -> bool:
    """Check whether multiprocessing has started this process: then `os._exit` is its usual end."""
    with QUIETLY:
        return sys.modules["multiprocessing.process"].parent_process() is not None
    return False
