"""Ids that index an embedding, and targets that index the logits."""

from __future__ import annotations

from typing import Any

from mlxprobe.agent.graph import lazy_graph
from mlxprobe.agent.intercept.events import CallEvent
from mlxprobe.agent.intercept.intercepts import Observe
from mlxprobe.agent.intercept.states import INSIDE, OURS, SAMPLED, TRACE
from mlxprobe.agent.introspection import call_site, isolated_import
from mlxprobe.agent.introspection.call_site import Site
from mlxprobe.agent.patching import static
from mlxprobe.agent.patching.interrupts import Quietly, Stop
from mlxprobe.agent.recording.gradient_call import Call
from mlxprobe.agent.sampling.dispatcher import Inspection
from mlxprobe.agent.sampling.inspector import Inspector
from mlxprobe.protocol.fact import Fact
from mlxprobe.protocol.facts.compilation import ArraysBakedIn
from mlxprobe.protocol.facts.data import IdOutOfRange, IdsSeen, TargetsAreInputs, TargetsFollowInputs, TargetsSkipOne

MOST = 4096  # ids that are compared
PLACES = 16
VIEWS = 2  # operations between a batch's ids and what picks by them
SURE = 2  # eager runs, with no trace between them
SPEAKS = (0, 30)  # MLX's release from which a placeholder says that it has no values
HELD = 16  # arrays a step
SAME_IS_SURE = TWO = 2
FOLLOW = 0.9
MANY = 64  # of a batch, that one look is enough for where no other comes
LONG = 6  # ids of a row, of which those after the next are to be told
EMBEDDINGS = "mlx.nn.layers.embedding.Embedding.__call__", "mlx.nn.layers.quantized.QuantizedEmbedding.__call__"
PICKING = "mlx.core.take_along_axis", "mlx.core.fast.cross_entropy"
ATTENTION = "mlx.core.fast.scaled_dot_product_attention"


class Indices(Inspector):
    """Hold ids and targets until they are evaluated; then compare them with their tables, and with each other."""

    emits = (ArraysBakedIn, IdOutOfRange, IdsSeen, TargetsAreInputs, TargetsFollowInputs, TargetsSkipOne)
    observes = (
        *(Observe(one, "_embeds", needs=SAMPLED, never=OURS | TRACE) for one in EMBEDDINGS),
        *(Observe(one, "_picks_for_us", needs=OURS) for one in PICKING),
        *(Observe(one, "_picks_in_trace", needs=TRACE, never=OURS) for one in PICKING),
        *(Observe(one, "_picks_inside", needs=INSIDE, never=OURS | TRACE) for one in PICKING),
        *(Observe(one, "_picks", needs=SAMPLED, never=OURS | TRACE) for one in PICKING),
        Observe(ATTENTION, "_seeks_mask", needs=SAMPLED, never=OURS | TRACE),
        Observe(ATTENTION, "_attends_by"),
        Observe("mlx.nn.layers.transformer.MultiHeadAttention.create_additive_causal_mask", "_masks"),
    )
    shadows = True

    def __init__(self, inspection: Inspection) -> None:
        super().__init__(inspection)
        self._held: list[tuple[str, Any, int, tuple[str, int]]] = []
        self._causal = False
        self._baked = Baked(inspection)
        self._attends = call_site.NOWHERE
        self._same = self._next = self._second = 0  # looks
        self._last: tuple[Fact, tuple[str, int]] | None = None  # what one more look will have told
        self._seen = False
        self._fed: list[Any] = []  # ids that a function of no model is given
        self._given: tuple[list[Any], tuple[str, int]] = (
            [],
            call_site.NOWHERE,
        )  # a call's ids, and where the last are made

    def _embeds(self, event: CallEvent) -> None:
        shape = static.shape(getattr(event["self"], "weight", None))
        if shape and len(self._held) < HELD:
            self._hold("embedding", event["x"], shape[0])

    def _picks_for_us(self, event: CallEvent) -> None:
        if self.inspection.picked is not None:
            self.inspection.picked.append(picking(event))

    def _picks_in_trace(self, event: CallEvent) -> None:
        if is_ids(ids := picking(event)[1]):
            self.inspection.at_our_cost(self._baked.traced, call_site.calling(), ids)

    def _picks_inside(self, event: CallEvent) -> None:
        if is_ids(ids := picking(event)[1]):
            self.inspection.at_our_cost(self._baked.run, call_site.calling(), ids)

    def _picks(self, event: CallEvent) -> None:
        (logits, ids), axis = picking(event), event["axis"]
        shape, axis = static.shape(logits), axis if isinstance(axis, int) else -1
        if -len(shape) <= axis < len(shape) and len(self._held) < HELD:
            self._hold("target", ids, shape[axis])

    def _seeks_mask(self, event: CallEvent) -> None:
        seen = self.inspection
        if (seen.attends or seen.inside) and not self._attends[1] and len(self._held) < HELD:
            with isolated_import.importable():
                from mlxprobe.agent.recording import value_provenance
            found = value_provenance.argument("mask")
            self._attends = found if found[1] else call_site.deciding("mask")

    def _attends_by(self, event: CallEvent) -> None:
        mask = event["mask"]
        self._causal = self._causal or (static.is_a(mask, str) and mask == "causal")

    def _masks(self, event: CallEvent) -> None:
        self._causal = True

    def _hold(self, kind: str, ids: Any, limit: int) -> None:
        if is_ids(ids) and ids.size:
            site = call_site.calling()
            self._held.append((kind, ids, limit, site))
            # at once: a gradient there writes beyond the table
            self.inspection.at_our_cost(self._compare_with_table, kind, ids, limit, site)

    def called(self, call: Call) -> None:
        data = lazy_graph.leaves(call.data) if call.model is None else []
        self._fed = [one for one in data if is_ids(one) and one.ndim == TWO]
        if self._same == SAME_IS_SURE - 1:
            ids = [(path, one) for path, one in lazy_graph.named_leaves(call.data) if is_ids(one) and one.ndim > 1]
            self._given = [one for _, one in ids], self._built(call, [path for path, _ in ids])

    @staticmethod
    def _built(call: Call, paths: list[str]) -> tuple[str, int]:
        if len(paths) != TWO:
            return call_site.NOWHERE
        with isolated_import.importable():
            from mlxprobe.agent.recording import value_provenance
        return value_provenance.datum(call, paths[1], paths[0])

    def forget(self) -> None:
        self._held, self._given, self._fed = [], ([], call_site.NOWHERE), []

    def look(self, step: int) -> None:
        held, (given, built), fed = self._held, self._given, self._fed
        self.forget()
        known = [one for one in held if not self.inspection.pending([one[1]])]
        if known and not self._seen:
            self._seen = True
            self.inspection.recorder.fact(IdsSeen(), known[0][3])
        inputs = [one for kind, one, *_ in known if kind == "embedding"]
        targets = [(one, site) for kind, one, _, site in known if kind == "target"]
        if targets:
            inputs = inputs or [one for one in fed if relation(one, targets[-1][0]) == "next"]
            self._compare_with_inputs(inputs, *targets[-1], built if is_twice(given) else call_site.NOWHERE)

    def _compare_with_inputs(
        self, inputs: list[Any], targets: Any, site: tuple[str, int], built: tuple[str, int]
    ) -> None:
        """Tell what the targets are to the ids of any embedding: a decoder's inputs, whatever else is embedded."""
        related = [(kind, one) for one in inputs if (kind := relation(one, targets))]
        following = [one for kind, one in related if kind == "next"]  # an encoder may well be given the targets
        self.inspection.view.mask_site = self._attends
        self.inspection.view.related_ids = following or [one for _, one in related]
        many = max((one.size for _, one in related), default=0) >= MANY
        if following:
            self._next += 1
            self._count(self._next, TargetsFollowInputs(), site, many)
        elif related and all(kind == "second" for kind, _ in related):
            self._second += 1
            self._count(self._second, TargetsSkipOne(), site, many)
        elif found := next((kind for kind, _ in related if kind != "second"), ""):
            self._same += 1
            site, seen = call_site.blamed(built, site)
            told = TargetsAreInputs(causal=self._causal, before=found == "before", seen=seen)
            self._count(self._same, told, site, many)

    def _count(self, looks: int, told: Fact, site: tuple[str, int], many: bool) -> None:
        """Tell at the second look; of a compiled step, which may be run but once, at the end."""
        self._last = None
        if looks == SAME_IS_SURE:
            self.inspection.recorder.fact(told, site)
        elif looks < SAME_IS_SURE and many and self.inspection.inside:
            self._last = told, site

    def finish(self) -> None:
        looks = self._same + self._next + self._second
        if self._last is not None and looks == 1:
            self.inspection.recorder.fact(*self._last)

    def _compare_with_table(self, kind: str, ids: Any, limit: int, site: tuple[str, int]) -> None:
        import mlx.core as mx

        with Quietly(ValueError, RuntimeError):  # while a trace is made
            low, high = int(lazy_graph.number(mx.min(ids))), int(lazy_graph.number(mx.max(ids)))
            if high >= limit or low < -limit:
                self.inspection.recorder.fact(IdOutOfRange(kind=kind, low=low, high=high, limit=limit), site)
                if self.inspection.inside and not self.inspection.nesting.glances:
                    raise Stop


def picking(event: CallEvent) -> tuple[Any, Any]:
    """Return what is picked from, and the ids that pick."""
    names = ("a", "indices") if "indices" in event else ("logits", "targets")
    return event[names[0]], event[names[1]]


def is_ids(one: Any) -> bool:
    """Tell whether something is an array of integers."""
    import mlx.core as mx

    return static.is_a(one, mx.array) and bool(mx.issubdtype(one.dtype, mx.integer))


def is_twice(ids: list[Any]) -> bool:
    """Tell whether two arrays hold the same."""
    import mlx.core as mx

    return len(ids) == TWO and ids[0].shape == ids[1].shape and bool(mx.array_equal(*ids).item())


def relation(ids: Any, targets: Any) -> str:
    """Tell whether targets are embedded ids themselves (`same`), those before (`before`) or those that follow (`next`).

    Or those after these (`second`). Of such a tenth may differ: ids that mean "ignore". Rows of one id tell nothing.
    """
    import mlx.core as mx

    if ids.ndim != 2 or ids.shape[1] < 3:
        return ""
    batch, length = ids.shape
    if targets.size not in (batch * length, batch * (length - 1)):
        return ""
    flat, mine = targets.reshape(batch, -1).astype(mx.int64), ids.astype(mx.int64)
    if bool(mx.array_equal(mine, mx.broadcast_to(mine[:, :1], mine.shape)).item()):
        return ""
    if lazy_graph.number(mx.mean(flat[:, : length - 1] == mine[:, 1:])) >= FOLLOW:
        return "next"
    if bool(mx.array_equal(mine[:, : flat.shape[1]], flat).item()):
        return "same"
    before = flat[:, 1 - length :]
    known = {"before": bool(mx.array_equal(mine[:, : length - 1], before).item())}
    known["second"] = length >= LONG and lazy_graph.number(mx.mean(flat[:, : length - 2] == mine[:, 2:])) >= FOLLOW
    return next((kind for kind, is_so in known.items() if is_so), "")


class Baked:
    """Remember the ids that had values while a function was traced, and compare those of its eager runs with them."""

    def __init__(self, inspection: Inspection) -> None:
        self._inspection = inspection
        self._traced: dict[Site, list[int]] = {}
        self._others: dict[Site, int] = {}  # eager runs in a row that had other ids
        self._steps: dict[Site, int] = {}  # of the last such runs
        self._several: set[Site] = set()  # places that are come to several times in a step

    def traced(self, site: Site, ids: Any) -> None:
        """A loss is traced with some ids; placeholders have no values."""
        self._traced.pop(site, None)
        self._others[site] = 0
        if len(self._traced) < PLACES and ids.size <= MOST and speaks() and lazy_graph.pending([ids]) <= VIEWS:
            with Quietly(RuntimeError, ValueError):
                self._traced[site] = ids.tolist()

    def run(self, site: Site, ids: Any) -> None:
        """A loss is computed with some ids where its function is run eagerly."""
        before, step = self._traced.get(site), self._inspection.recorder.step
        if self._steps.get(site) == step:
            self._several.add(site)
        self._steps[site] = step
        if before is None or site in self._several or ids.size > MOST or lazy_graph.pending([ids]) > VIEWS:
            return
        self._others[site] = self._others[site] + 1 if ids.tolist() != before else 0
        if self._others[site] == SURE:
            self._inspection.recorder.fact(ArraysBakedIn(paths=("the targets of the loss",), of=1), site)


def speaks() -> bool:
    """Tell whether this release's placeholders raise when their values are asked for."""
    import mlx.core as mx

    return tuple(int(one) for one in mx.__version__.split(".")[:2]) >= SPEAKS
