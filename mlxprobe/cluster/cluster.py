"""The workers of a Dask cluster as places where programs run."""

from __future__ import annotations

import logging
import pickle
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, wait
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import msgspec

import mlxprobe
from mlxprobe.cluster import worker
from mlxprobe.cluster.executor import Place, environment_here
from mlxprobe.cluster.serialization import Made, pack
from mlxprobe.cluster.worker_pool import Workers, ask
from mlxprobe.releases.index import Release
from mlxprobe.runner.runner import Listener
from mlxprobe.schema.errors import ProbeError, UsageError
from mlxprobe.schema.observation import Environment
from mlxprobe.schema.record import ProgramRecord
from mlxprobe.settings.dask_address import DEVICES, Address
from mlxprobe.settings.table import Settings

if TYPE_CHECKING:
    import distributed

ANSWER_WITHIN_S = 30.0
POLL_S = 0.5
NO_WORKER_S = 60.0  # calls wait this long for a worker to come back
END_WITHIN_S = 45.0  # longer than a worker's own limit
ATTEMPTS = 3  # where the process that carries out a call is lost; Dask replaces a lost worker


@contextmanager
def connected(address: Address, settings: Settings, listener: Listener) -> Iterator[list[Place]]:
    """Yield a place for each resource that the cluster's workers offer, of those that were asked for.

    Raises:
        UsageError: Dask is not installed, no scheduler answers, or its workers do not fit.
    """
    try:
        import distributed
    except ImportError:
        raise UsageError("--on needs Dask, which is not installed here: pip install 'mlxprobe[dask]'") from None
    logging.getLogger("distributed").setLevel(logging.CRITICAL)  # mlxprobe reports lost workers itself
    try:
        client = distributed.Client(address.scheduler, timeout=ANSWER_WITHIN_S, set_as_default=False)
    except (OSError, ValueError) as error:
        raise UsageError(f"--on {address.given}: no Dask scheduler answers there: {error}") from None
    with client:
        cluster = Cluster(client, address, listener)
        try:
            yield [Machines(cluster, name, settings) for name in cluster.workers.resources(settings.device)]
        finally:
            cluster.close()


class Cluster:
    """A session with a scheduler: the submitted calls, and the thread that monitors them."""

    def __init__(self, client: distributed.Client, address: Address, listener: Listener) -> None:
        self.client = client
        self.session = f"mlxprobe-{uuid.uuid4().hex[:12]}"
        self.stop = threading.Event()
        self.workers = Workers(client, address)
        self._given = address.given
        self._listener = listener
        self._calls: dict[str, tuple[distributed.Future, Future[Any], str]] = {}
        self._begun: set[str] = set()
        self._last_worker_s = time.monotonic()
        self._ended_s = 0.0
        self._lock = threading.Lock()
        self._closed = threading.Event()
        client.subscribe_topic(self.session, self._on_event)
        self._thread = threading.Thread(target=self._monitor, daemon=True)
        self._thread.start()

    def submit(self, order: bytes, resource: str, host: str) -> Future[Any]:
        """Have a call carried out by a worker, by the one of that name if it is there."""
        homes = self.workers.called(host)
        key = f"{self.session}-{uuid.uuid4().hex[:12]}"
        ours: Future[Any] = Future()
        theirs = self.client.submit(
            worker.carry_out,
            self.session,
            mlxprobe.__version__,
            order,
            key=key,
            workers=homes or None,
            allow_other_workers=bool(homes),
            resources={resource: 1},
            retries=ATTEMPTS - 1,
            pure=False,
        )
        with self._lock:
            self._calls[key] = theirs, ours, resource
        theirs.add_done_callback(lambda _: self._settle(key))
        return ours

    def _settle(self, key: str) -> None:
        """Pass a call's result to the caller's future."""
        with self._lock:
            theirs, ours, _ = self._calls.pop(key, (None, None, ""))
        if theirs is None or ours is None:
            return
        try:
            if theirs.status == "cancelled":
                self._give_up(ours, f"{self._given}: the scheduler is gone")
                return
            fine, answer = pickle.loads(theirs.result())  # noqa: S301 - access to the cluster is access to run code
            if fine:
                ours.set_result(answer)
            else:
                ours.set_exception(answer)
        except Exception as error:
            told = str(error) if isinstance(error, ProbeError) else f"{type(error).__name__}: {error}"
            self._give_up(ours, f"{self._given}: {told}")

    def _give_up(self, ours: Future[Any], told: str) -> None:
        """Fail a call with the reason; while everything is being ended, cancel it instead."""
        if self.stop.is_set():
            ours.cancel()
            ours.set_running_or_notify_cancel()  # wakes the waiting thread
        else:
            ours.set_exception(ProbeError(told))

    def _monitor(self) -> None:
        while not self._closed.wait(POLL_S):
            try:
                self._check()
            except Exception as error:  # the scheduler may go at any time
                if self.client.status != "running":
                    self._fail(lambda _: True, f"{self._given}: the scheduler is gone: {error}")

    def _check(self) -> None:
        if self.stop.is_set():
            self._end()
            return
        self.workers.meet()
        missing = {resource for _, _, resource in list(self._calls.values()) if not self.workers.width(resource)}
        if not missing:
            self._last_worker_s = time.monotonic()
        elif time.monotonic() - self._last_worker_s > NO_WORKER_S:
            told = f"{self._given}: no worker offers {', '.join(sorted(missing))} any more"
            self._fail(lambda resource: resource in missing, told)

    def _end(self) -> None:
        """End the running calls and cancel the others; after a time limit cancel all."""
        if not self._ended_s:
            self._ended_s = time.monotonic()
            ask(self.client, worker.stop, self.session)
        elif time.monotonic() - self._ended_s > END_WITHIN_S:
            self._begun.clear()
        with self._lock:
            doomed = [theirs for key, (theirs, _, _) in self._calls.items() if key not in self._begun]
        self.client.cancel(doomed)

    def _fail(self, which: Callable[[str], bool], told: str) -> None:
        with self._lock:
            doomed = [(key, call) for key, call in self._calls.items() if which(call[2])]
            for key, _ in doomed:
                del self._calls[key]
        for _, (theirs, ours, _) in doomed:
            self._give_up(ours, told)
            theirs.release()

    def _on_event(self, event: tuple[float, Mapping[str, str]]) -> None:
        """Pass a worker's event about a program to the listener."""
        _, told = event
        if told["what"] == "begun":
            self._begun.add(told["key"])
        elif told["what"] == "started":
            self._listener.started(told["name"])
        elif told["what"] == "moved":
            self._listener.moved(told["name"], f"on {told['host']}: {told['does']}")
        else:
            self._listener.ended(told["name"], msgspec.json.decode(told["row"], type=ProgramRecord))

    def drain(self) -> None:
        """Wait until every call has ended."""
        wait([ours for _, ours, _ in list(self._calls.values())])

    def close(self) -> None:
        """End what still runs."""
        if self._calls:
            self.stop.set()
            self.drain()
        self._closed.set()
        self._thread.join()


class Machines(Place):
    """The workers that offer one resource."""

    whole = True

    def __init__(self, cluster: Cluster, resource: str, settings: Settings) -> None:
        self.name = resource
        self.settings = replace(settings, device=DEVICES[resource], on=None)
        self.width = cluster.workers.width(resource)
        self.stop = cluster.stop
        self._cluster = cluster
        self._made: list[Made] = []
        self._closed = False

    def environment(self, release: Release) -> Environment:
        """Return what one of the workers has, or makes, of a release; each makes its own when it needs it."""
        found: Environment = self.submit(environment_here, release, self.settings).result()
        self._made.append((found, release, self.settings))
        return found

    def submit(self, call: Callable[..., Any], /, *words: Any, **_: Any) -> Future[Any]:
        if self._closed:
            raise RuntimeError("nothing can be submitted any more")
        return self._cluster.submit(pack(call, words, self._made), self.name, getattr(call, "host", ""))

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """End everything, where futures are to be cancelled, and wait for that."""
        self._closed = True
        if cancel_futures:
            self._cluster.stop.set()
        if wait:
            self._cluster.drain()
