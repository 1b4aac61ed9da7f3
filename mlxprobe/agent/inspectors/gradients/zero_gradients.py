"""Gradients that are exactly zero, not finite, or grow."""

from __future__ import annotations

from typing import Any

from mlxprobe.agent.graph import lazy_graph
from mlxprobe.agent.graph.dataflow import LossGraph
from mlxprobe.agent.inspectors.gradients.gradient_blockers import Cuts
from mlxprobe.agent.inspectors.gradients.moments import Moments
from mlxprobe.agent.inspectors.gradients.non_finite import Infinite
from mlxprobe.agent.inspectors.gradients.unused import Unused
from mlxprobe.agent.inspectors.losses.loss_graph import is_amount, unique
from mlxprobe.agent.inspectors.work.turns import Turns
from mlxprobe.agent.introspection import call_site
from mlxprobe.agent.patching import static
from mlxprobe.agent.recording.gradient_call import Call
from mlxprobe.agent.sampling.dispatcher import Inspection
from mlxprobe.agent.sampling.inspector import Inspector
from mlxprobe.protocol.facts.gradients import (
    GradientNotFinite,
    GradientsRecovered,
    NothingToLearn,
    NotLookedAt,
    ZeroGradient,
)
from mlxprobe.protocol.facts.losses import LossNotFinite

ZERO_IS_SURE = 4  # looks in a row
DEAD_IS_SURE = 6  # of one that was not zero before
DYING = 2  # of such a one: landmarks are few
AT_REST = 8  # looks
MOST, HELD_BYTES = 8, 1 << 20  # arrays of a call, and bytes of each
TRACES = 4  # that are drawn
TURNS = 16  # looks in a row before a part of them is told: several tasks may take turns, and landmarks are mostly even
FROZEN = 2  # looks at a model in a row without a gradient of some parameter
ASKED = 32  # steps in a row, at most, that are looked at for that


class Gradients(Inspector):
    """Hold some gradients until the program has evaluated them, then read their extremes."""

    emits = (
        ".gradient",
        GradientNotFinite,
        GradientsRecovered,
        LossNotFinite,
        NotLookedAt,
        NothingToLearn,
        ZeroGradient,
    )
    shadows = True

    def __init__(self, inspection: Inspection) -> None:
        super().__init__(inspection)
        self._held: list[tuple[str, Any]] = []
        self._late: list[tuple[str, Any]] = []  # those of the look before, which were not evaluated then
        self._site = self._made_at = ("", 0)
        self._loss: Any = None
        self._turns = Turns()
        self._unevaluated = 0
        self._applied: dict[str, Any] = {}  # of those that were zero: what an update is given, by several calls perhaps
        self._zeros = Zeros()
        self._updates = -1
        self._told: set[str] = set()
        self._asked = 0
        self._aliases: dict[int, set[str]] = {}
        self._traces = 0
        self._constant: dict[str, bool] = {}  # whether all traces so far made zeros of them, whatever they are given
        self._infinite = Infinite(inspection)
        self._cuts = Cuts(inspection)
        inspection.intercepts.add(self, Cuts.observes, self._cuts)
        self._said: list[tuple[call_site.Site, set[str]]] = []  # what was told, and of which of them
        self._resting = Resting(inspection)
        self._known = False  # that they are zeros whatever the loss is, or beside one that is not zero
        self._unused = Unused(inspection)
        self._moments = Moments(inspection)
        self._between = ("", call_site.NOWHERE)  # what is between the gradients that were zero and the loss

    def calling(self) -> None:
        import mlx.core as mx

        self._cuts.forget()
        if self._doubtful():
            self._cuts.follow(mx.array)

    def _doubtful(self) -> set[str]:
        """Name what had a gradient of zero at the last look, and has not been told."""
        return self._zeros.now - self._told

    def _look_between(self, named: list[tuple[str, Any]], call: Call, doubtful: set[str]) -> None:
        """See what cuts those off."""
        self._cuts.leave()
        if doubtful and self.inspection.recorder.lazy_steps <= 1:
            given = zip(named, lazy_graph.leaves(call.parameters), strict=False)
            found = self._cuts.between(call, [one for (path, _), one in given if path in doubtful])
            self._between = found if found[0] else self._between
        self._cuts.forget()

    def called(self, call: Call) -> None:
        self._site, self._loss, self._made_at = call.site, call.loss, call.made_at
        named = self._named(call)
        self._infinite.called(call)
        self._resting.called(call)
        self._look_between(named, call, self._doubtful())
        self._known |= self._unused.look(call, named, self._doubtful())
        if self.inspection.inside and self.inspection.returned:
            return
        if self.inspection.inside:  # nobody else evaluates them: their extremes are all that need be
            self._held += [(path, lazy_graph.extremes(one)) for path, one in named if one.size]
        else:
            self._held = self._turns.choose(named)

    def updating(self, model: Any, optimizer: Any, gradients: Any) -> None:
        if doubtful := self._doubtful():
            named = [(f"{id(model)}:{path}", one) for path, one in lazy_graph.named_leaves(gradients) if one.size]
            self._applied = {path: one for path, one in named if path in doubtful}

    def training(self, model: Any, optimizer: Any) -> None:
        if self._traces and not self.inspection.inside:
            self._moments.training(model, optimizer)

    def _named(self, call: Call) -> list[tuple[str, Any]]:
        """List a call's gradients, each parameter's once; statistics that are among them are not trained."""
        if call.model is not None and id(call.model) not in self._aliases:
            self._aliases[id(call.model)] = lazy_graph.aliases(call.model)
        skipped = self._aliases.get(id(call.model), set())
        prefix = f"{id(call.model)}:" if call.model is not None else ""
        named = [
            pair for pair in lazy_graph.named_leaves(call.gradients) if not pair[0].endswith(lazy_graph.STATISTICS)
        ]
        return [(prefix + path, one) for path, one in named if path not in skipped]

    def called_in_trace(self, call: Call) -> None:
        """Read off the graph which gradients are zeros that depend on nothing: MLX fills them where no way leads."""
        self._traces += 1
        if self._traces > TRACES:
            return
        self._site = call.site
        named = self._named(call)
        drawn = LossGraph(lazy_graph.dot(**{f"g{k}": one for k, (_, one) in enumerate(named)}))
        for k, (path, one) in enumerate(named):
            self._constant[path] = self._constant.get(path, True) and one.size > 1 and drawn.is_filled(f"g{k}")
        self._look_between(named, call, {path for path, constant in self._constant.items() if constant})

    def look(self, step: int) -> None:
        self._tell_constant()
        held, loss, suspects, applied = self._held, self._loss, self._infinite.suspects, self._applied
        late, self._late = self._late, []
        data = self._resting.take()
        self.forget()
        if not self.inspection.inside:
            self._moments.look(step)
        if not held:
            return
        if self.inspection.pending([one for _, one in held]):
            self._unevaluated += 1
            self._late = held
            if self._unevaluated == ZERO_IS_SURE and not self._zeros:
                self.inspection.recorder.fact(NotLookedAt(what="gradients", why="never evaluated"), self._site)
            return
        if self.inspection.inside:
            lazy_graph.evaluate([loss, *(one for _, one in held)])
        sizes = self._sizes(held) | self._sizes(list(applied.items()), asks=True)
        sizes |= {path: max(size, sizes.get(path, 0.0)) for path, size in self._sizes(late, asks=True).items()}
        recorder = self.inspection.recorder
        stands_still = recorder.updates == self._updates or not (recorder.applied or recorder.changed)
        value = self._read(loss)
        self._resting.look(rests=value == 0.0 and not any(sizes.values()), data=data)
        if self._tells(sizes, value, stands_still):
            self._count_zeros(sizes)
        self._updates = recorder.updates if recorder.applied else -1
        self._infinite.look(sizes, value, suspects)

    def _sizes(self, named: list[tuple[str, Any]], *, asks: bool = False) -> dict[str, float]:
        """Read the largest of each, if it `asks` where all are evaluated: several calls may share an evaluation."""
        if not named or (asks and self.inspection.pending([one for _, one in named])):
            return {}
        return dict(zip([path for path, _ in named], lazy_graph.largest_each([one for _, one in named]), strict=True))

    def finish(self) -> None:
        self._cuts.leave()
        self._tell_constant()
        self._resting.finish(self._site)
        self._moments.finish()
        self._known = self._known or bool(self._moments.zero)
        self._tell(self._zeros.never_led | self._moments.zero, max(len(self._zeros), self._moments.every))

    def forget(self) -> None:
        self._held, self._loss, self._applied = [], None, {}
        self._infinite.forget()
        self._resting.forget()

    def _tells(self, sizes: dict[str, float], loss: float | None, stands_still: bool) -> bool:
        """Tell whether zeros would say anything: the same parameters again do not, nor does a loss of zero.

        That is no reward so far, or a hinge that is met; no way to the parameters need be cut. Neither is it where one
        has been seen, and the loss cannot be read.
        """
        if any(sizes.values()):
            return not stands_still
        self._known = self._known or bool(loss) or self.inspection.inside
        return loss != 0 and not (loss is None and self._zeros.alive)

    def _read(self, loss: Any) -> float | None:
        """Return a loss that the program has evaluated."""
        known = loss is not None and static.count(loss) == 1 and not self.inspection.pending([loss])
        return lazy_graph.number(loss) if known else None

    def _count_zeros(self, sizes: dict[str, float]) -> None:
        self._zeros.count(sizes, self.inspection.recorder.step)
        zero = self._zeros.dead
        ends = bool(zero - self._told) or (self._zeros.cut_off and not self._told)
        if ends and (self._zeros.alive or len(zero) < len(self._zeros)):
            self._asked += 1
            self.inspection.wanted = self.inspection.wanted or self._asked <= ASKED
            zero = {path for path in zero if self._zeros[path].zeros >= TURNS}
        self._tell(zero, len(self._zeros))
        back = [said for said in self._said if said[1] <= self._zeros.awake]
        for site, _ in back:  # a part that began at rest
            self.inspection.recorder.revise(ZeroGradient(count=0), site)
        self._said = [said for said in self._said if said not in back]
        self.inspection.doubted = bool(self._said or self._zeros.never_led)

    def _tell_constant(self) -> None:
        zero = {path for path, constant in self._constant.items() if constant} - self._zeros.alive
        if self.inspection.recorder.gradients >= ZERO_IS_SURE:
            self._tell(zero, len(self._constant))

    def _tell(self, zero: set[str], of: int) -> None:
        if zero - self._told:
            self._told |= zero
            between, cause = self._between
            stranger = self._unused.stranger() if len(zero) == of else ""
            cause = self._made_at if stranger else cause
            cause, spare = (cause, False) if cause[1] else self._unused.cause(zero)
            site, seen = call_site.blamed(cause, self._site)
            fact = ZeroGradient(
                count=len(zero),
                of=of,
                paths=tuple(path.rpartition(":")[2] for path in sorted(zero)[:5]),
                between=between,
                seen=seen,
                spare=spare,
                known=self._known or bool(between) or zero <= self._constant.keys(),
                alive=self._zeros.until(zero),
                stranger=stranger,
                own=self._zeros.of_same(zero),
            )
            self.inspection.recorder.fact(fact, site)
            self._said.append((site, set(zero)))


class Resting:
    """Count them, from the first on; whoever learns anything is none."""

    def __init__(self, inspection: Inspection) -> None:
        self._inspection = inspection
        self._looks = 0  # below 0 once it was otherwise
        self._data: list[tuple[str, Any]] = []
        self._zero: set[str] | None = None

    def called(self, call: Call) -> None:
        """Hold the data of a call, up to the end of its step, while nothing was ever learned."""
        if self._looks >= 0:
            amounts = [(name, one) for name, one in unique(call.data)[:MOST] if is_amount(one) and one.size > 1]
            self._data = [(name, one) for name, one in amounts if one.nbytes <= HELD_BYTES]

    def forget(self) -> None:
        """Let go of them."""
        self._data = []

    def look(self, *, rests: bool, data: list[tuple[str, Any]]) -> None:
        """Count one look more."""
        self._looks = self._looks + 1 if rests and self._looks >= 0 else -1
        if self._looks < 0:
            return
        known = [(name, one) for name, one in data if not self._inspection.pending([one])]
        sizes = lazy_graph.largest_each([one for _, one in known]) if known else []
        now = {name for (name, _), size in zip(known, sizes, strict=True) if size == 0}
        self._zero = now if self._zero is None else self._zero & now

    def take(self) -> list[tuple[str, Any]]:
        """Give what is held away."""
        data, self._data = self._data, []
        return data

    def finish(self, site: tuple[str, int]) -> None:
        """Tell of a run that had nothing to learn."""
        if self._looks >= AT_REST:
            zero = tuple(sorted(self._zero or ()))
            self._inspection.recorder.fact(NothingToLearn(looks=self._looks, zero=zero), site)


class Seen:
    """How often a gradient was looked at, how often in a row it was zero by now, and at which step it last was not."""

    def __init__(self) -> None:
        self.looks = self.zeros = self.alive = self.missed = 0

    @property
    def died(self) -> bool:
        """Whether it was anything else before."""
        return self.looks > self.zeros


class Zeros:
    """Count by path."""

    def __init__(self) -> None:
        self._seen: dict[str, Seen] = {}

    def __len__(self) -> int:
        return len(self._seen)

    def __getitem__(self, path: str) -> Seen:
        return self._seen.get(path, Seen())

    def count(self, sizes: dict[str, float], step: int) -> None:
        """Take up the largest element of each gradient at a step."""
        for path, size in sizes.items():
            one = self._seen.setdefault(path, Seen())
            one.looks += 1
            one.zeros, one.alive = (one.zeros + 1, one.alive) if size == 0.0 else (0, step)
            one.missed = 0
        owners = {path.rpartition(":")[0] for path in sizes}
        for path in [one for one in self._seen.keys() - sizes.keys() if one.rpartition(":")[0] in owners]:
            self._seen[path].missed += 1
            if self._seen[path].missed > FROZEN:  # no gradient is taken of it any more
                del self._seen[path]

    def of_same(self, paths: set[str]) -> int:
        """Count the gradients of the models that these are of."""
        owners = {path.rpartition(":")[0] for path in paths}
        return sum(path.rpartition(":")[0] in owners for path in self._seen)

    @property
    def now(self) -> set[str]:
        """Those that were zero at their last look."""
        return {path for path, one in self._seen.items() if one.zeros}

    @property
    def awake(self) -> set[str]:
        """Those that were not."""
        return self._seen.keys() - self.now

    @property
    def never_led(self) -> set[str]:
        """Those that have been nothing else, at looks enough."""
        return {path for path, one in self._seen.items() if one.zeros >= ZERO_IS_SURE and not one.died}

    @property
    def dead(self) -> set[str]:
        """Those that have been nothing else, or for so long."""
        return self.never_led | {path for path, one in self._seen.items() if one.zeros >= DEAD_IS_SURE}

    @property
    def cut_off(self) -> bool:
        """Whether the first half of the model's layers has died: what is passed over now and then lies side by side."""
        layers = [one for path, one in self._seen.items() if not path.endswith("bias")]
        return bool(layers) and all(one.died and one.zeros >= DYING for one in layers[: (len(layers) + 1) // 2])

    @property
    def alive(self) -> set[str]:
        """Those that have been anything else."""
        return {path for path, one in self._seen.items() if one.died}

    def until(self, paths: set[str]) -> int:
        """Return the last step at which any of these was anything else; 0 where one never was."""
        steps = [self[path].alive for path in paths]
        return max(steps) if steps and all(steps) else 0
