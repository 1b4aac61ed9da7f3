"""Check whether this process is a worker of multiprocessing."""

import sys

POOL_WORKER = "PoolWorker"  # in the names that `multiprocessing.Pool` gives its processes


def is_pool_worker() -> bool:
    """Check whether this is a worker of `multiprocessing.Pool`, which ends its workers by a signal."""
    module = sys.modules.get("multiprocessing.process")
    return module is not None and POOL_WORKER in module.current_process().name


def is_worker() -> bool:
    """Check whether multiprocessing has started this process: then `os._exit` is its usual end."""
    module = sys.modules.get("multiprocessing.process")
    return module is not None and module.parent_process() is not None
