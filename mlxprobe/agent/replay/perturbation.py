"""Call a model again with its rows in another order, beside others, or with a part of its inputs changed."""

from __future__ import annotations

import math
from collections.abc import Callable
from types import CodeType
from typing import Any

from mlxprobe.agent.graph import lazy_graph
from mlxprobe.agent.introspection.trees import doubled, lent, random_state
from mlxprobe.agent.patching.bound_arguments import Given
from mlxprobe.agent.patching.signatures import like
from mlxprobe.agent.patching.temporary_patches import Loans
from mlxprobe.agent.replay.sandbox import Sandbox, in_evaluation, outputs
from mlxprobe.agent.replay.spreads import alike, deviation, per_row, share
from mlxprobe.agent.wire import bound
from mlxprobe.protocol.fact import Fact
from mlxprobe.protocol.facts.models import InputIdle, InputZero, ModesDiffer, OnePlace, OutputsAlike, RowsMixed

Change = Callable[[Any], Any]
Found = dict[type[Fact], tuple[Any, dict[str, Any]] | None]  # what is to be the same at each look, and the fields
ROWS, PLACES, PASSES = 8, 4, 4
FEWER = 3  # times as many rows as are enough: then some are
LARGE = 1 << 20  # elements, of all inputs together
SLOW_S, CALLS = 0.02, 5  # for one call, of up to ten; of those that one question takes
ARGUMENTS = 3
MOVED, MOST = 0.05, 0.8  # of the rows' deviation, and of the rows
FAINT = 2e-3  # of the same, which float32 does not lose
BY_CHANCE = 5.0  # standard deviations of a mean over the rows: what a normalisation by the batch's own may change


class Probe:
    """One call of a model that has a row for each of its outputs'. It finds fields by fact; None where it is not so."""

    def __init__(
        self,
        code: CodeType,
        function: Callable[..., Any],
        module: Any,
        given: tuple[Any, dict[str, Any]],
        sandbox: Sandbox,
    ) -> None:
        self._sandbox = sandbox
        self._function = function
        self._module = module
        self._given = given
        names = code.co_varnames[1 : code.co_argcount]
        named = [*zip(names, given[0], strict=False), *given[1].items()]
        known = {id(one): (path, one) for path, one in reversed(lazy_graph.named_leaves(dict(named)))}
        shaped = [pair for pair in known.values() if pair[1].ndim]
        self.rows = int(shaped[0][1].shape[0]) if shaped else 0
        self.inputs = [pair for pair in reversed(shaped) if pair[1].shape[0] == self.rows]
        self.whole = len(self.inputs) == len(shaped)  # whether there is nothing else, such as a graph's edges
        self._other = any(self.rows in one.shape[1:] for _, one in self.inputs)  # axes as long as there are rows
        if self.rows < ROWS or sum(one.size for _, one in self.inputs) > LARGE:
            self.rows = 0
        self.draws = False
        self.took_s = math.inf
        self.first: list[Any] = []

    def begin(self, affords: Callable[[float], bool] = lambda _: False) -> bool:
        """Call it twice as it was; tell whether that gives the same, and fast, or is affordable all the same."""
        self._key = random_state()[0]
        for turn in range(2):
            again, self.first = self.first, self._timed()
            if not turn and self.took_s >= SLOW_S and self.whole and self.rows >= FEWER * ROWS:
                self._shorten()
                self.took_s = math.inf
                self.first = self._timed()
            if self.took_s >= SLOW_S and not affords(CALLS * self.took_s):
                return False
        return bool(self.first) and alike(self.first, again)

    def _timed(self) -> list[Any]:
        began = bound.process_time()
        made = self._call()
        self.took_s = min(self.took_s, bound.process_time() - began)
        return made

    def _shorten(self) -> None:
        """Go on with some of the rows, of which a slow model makes less work; one that wants all of them refuses."""
        import mlx.core as mx

        some = {id(one): mx.array(one[:ROWS]) for _, one in self.inputs}
        lazy_graph.evaluate(list(some.values()))
        self._given = doubled(list(self._given), lambda one: some.get(id(one), one))
        self.inputs = [(name, some[id(one)]) for name, one in self.inputs]
        self.rows = ROWS

    def _call(self, change: Change = lambda one: one, *, training: bool = True) -> list[Any]:
        """Return the outputs for changed inputs, evaluated, with all put back."""
        import mlx.core as mx

        args, kwargs = lent(doubled(list(self._given), change))
        if not training:
            in_evaluation(self._module)
        try:
            made = outputs(self._sandbox.call(self._function, self._module, *args, **kwargs))
            self.draws = self.draws or not bool(mx.array_equal(random_state()[0], self._key).item())
        finally:
            self._sandbox.restart()
        return made

    def idle(self) -> Found:
        """Look for inputs that may as well be the same in all rows."""
        import mlx.core as mx

        names, judged = [], False
        for name, one in self.inputs[:ARGUMENTS]:
            first = mx.broadcast_to(one[:1], one.shape)
            if bool(mx.array_equal(first, one).item()):
                continue
            judged = True
            changed = self._call(lambda a, one=one, first=first: first if a is one else a)  # type: ignore[misc]
            names += [name] if alike(self.first, changed) else []
        return {InputIdle: (names, {"names": tuple(names)}) if names else None} if judged else {}

    def places(self) -> Found:
        """Look for the places along the second axis of an only input that the outputs depend on."""
        import mlx.core as mx

        name, one = self.inputs[0]
        length = self._length()
        gone = all(made.ndim and made.shape[0] == self.rows and length not in made.shape[1:] for made in self.first)
        if len(self.inputs) > 1 or not (gone and self.whole) or not PLACES <= length <= PASSES * self.rows:
            return {}
        before = self._call(training=False)
        other = mx.roll(one, self.rows // 2, axis=0)
        tested, matter = set[int](), set[int]()
        for turn in range(-(-length // self.rows)):
            at = [(k + turn * self.rows) % length for k in range(self.rows)]
            here = (mx.arange(length)[None] == mx.array(at)[:, None]).reshape(self.rows, length, *[1] * (one.ndim - 2))
            some = mx.where(here, other, one)
            after = self._call(lambda a, some=some: some if a is one else a, training=False)  # type: ignore[misc]
            moved = [per_row(new - old) for new, old in zip(after, before, strict=True)]
            given = per_row(some.astype(mx.float32) - one.astype(mx.float32))
            tested |= {place for place, by in zip(at, given, strict=True) if by}
            matter |= {place for k, place in enumerate(at) if given[k] and any(by[k] for by in moved)}
        if len(tested) < PLACES or not matter:
            return {}
        at = sorted(matter)
        only = {"argument": name, "at": at[0], "of": length}
        return {OnePlace: ((name, at), only) if len(at) == 1 else None}

    def mixed(self, *, shuffled: bool, known: bool = False, ordered: bool = False) -> Found:
        """Look for outputs that change with a row's place in the batch, or with the rows beside it.

        What the rows are is known where an axis of the inputs is gone in the outputs, or where rows have come again
        elsewhere (`shuffled`): the nodes of a graph and the moments of one sequence stay where they are. Of a module
        within a model they are `known`. Where they may be `ordered`, those of one sequence, their place counts.
        """
        import mlx.core as mx

        length = self._length()
        judged = known or (self.whole and length and self._tells_rows(length, shuffled))
        self.draws = False  # dropout has, and does no more
        before = self._call(training=False) if judged else []
        if not before or self.draws:
            return {}
        half = self.rows // 2
        turned = self._all(lambda one: mx.roll(one, half, axis=0))
        deviations = [lazy_graph.number(mx.max(deviation(one))) for one in before]
        place = share([mx.roll(one, -half, axis=0) for one in turned], before, deviations, MOVED)
        chance = max(MOVED, BY_CHANCE / math.sqrt(self.rows))
        exact = all(str(one.dtype).endswith("float32") for one in before)
        company = dict.fromkeys((MOVED, chance, *[FAINT] * exact), False)
        for part in (slice(half), slice(self.rows - half, self.rows)):  # what one half holds may be all that counts
            if not any(company.values()):
                beside = self._all(lambda one, part=part: mx.concatenate([one[part], one[part], one])[: self.rows])  # type: ignore[misc]
                pair = [one[:half] for one in beside], [one[part] for one in before]
                company = {by: share(*pair, deviations, by) > MOST for by in company}
        if not any(deviations):
            return {}
        if not (place > MOST or company[chance]):  # a sum over the batch doubles, and its own mean does not
            twice = [one[: self.rows] for one in self._all(lambda one: mx.concatenate([one, one]))]
            pairs = zip(twice, before, strict=True)
            company[chance] = any(lazy_graph.largest(new - old) > MOVED * lazy_graph.largest(old) for new, old in pairs)
        told = place > MOST, any(company.values()), place > MOST or company[chance]
        if not any(told) or (ordered and told[0]):
            return {RowsMixed: None}
        stays = any(length in one.shape[1:] for one in before) and not known
        if stays and not self._mixes_places(before, length):
            return {RowsMixed: None}
        flat = not told[0] and all(one.ndim == 2 for _, one in self.inputs)  # no other axis could be meant
        sure = told[2] and not (flat and attends(lambda: self._call(training=False), self.rows))
        return {RowsMixed: (sure, {"place": told[0], "beside": told[1], "sure": sure})}

    def _length(self) -> int:
        one = self.inputs[0][1]
        return int(one.shape[1]) if one.ndim > 1 and not self._other else 0

    def _tells_rows(self, length: int, shuffled: bool) -> bool:
        """Tell whether rows are a batch's: outputs have one for each, and no other axis as long."""
        import mlx.core as mx

        first = self.inputs[0][1]
        ids = mx.issubdtype(first.dtype, mx.integer)
        by_row = all(one.ndim and one.shape[0] == self.rows and self.rows not in one.shape[1:] for one in self.first)
        stays = any(length in one.shape[1:] for one in self.first)
        return by_row and (shuffled or (ids and len(self.inputs) == 1) or (first.ndim > 2 and not stays))

    def _all(self, of: Change) -> list[Any]:
        """Return the outputs in evaluation mode, with all inputs changed."""
        mine = {id(one) for _, one in self.inputs}
        return self._call(lambda one: of(one) if id(one) in mine else one, training=False)

    def _mixes_places(self, before: list[Any], length: int) -> bool:
        """Tell whether the second axis is no batch either: outputs of one half change with the other half's inputs."""
        import mlx.core as mx

        half = length // 2
        parts = slice(0, half), slice(length - half, length)

        def twice(one: Any, part: slice) -> Any:
            return mx.concatenate([one[:, part], one[:, half : length - half], one[:, part]], axis=1)

        for part in parts:
            made = self._all(lambda one, part=part: twice(one, part) if one.ndim > 1 else one)  # type: ignore[misc]
            pairs = [(new[:, part], old[:, part]) for new, old in zip(made, before, strict=True) if old.ndim > 1]
            if any(lazy_graph.largest(new - old) > MOVED * lazy_graph.largest(old) for new, old in pairs):
                return True
        return False

    def spread(self, targets: list[Any], below: float) -> Found:
        """Compare how far the first output differs from row to row with how far its targets do."""
        import mlx.core as mx

        made = self.first[0]
        known = [one for one in targets if one.shape == made.shape and one.shape[0] == self.rows]
        if len(known) != 1 or not mx.issubdtype(known[0].dtype, mx.floating):
            return {}
        mine, theirs = (lazy_graph.number(mx.mean(deviation(one))) for one in (made, known[0]))
        return {OutputsAlike: (True, {"deviation": mine, "targets": theirs}) if mine < below * theirs else None}

    def apart(self, far: float) -> Found:
        """Compare the mean outputs in evaluation mode with those in training mode, for the same rows."""
        import mlx.core as mx

        after = self._call(training=False)
        if any(one.shape != made.shape or one.ndim == 0 for one, made in zip(after, self.first, strict=True)):
            return {}
        pairs = [(mx.mean(one - made, axis=0), deviation(made)) for one, made in zip(after, self.first, strict=True)]
        worst = max(lazy_graph.largest(shift) / (lazy_graph.largest(spread) or math.inf) for shift, spread in pairs)
        return {ModesDiffer: (True, {"apart": worst}) if worst > far else None}

    def constant(self, varied: list[tuple[str, Any]]) -> Found:
        """Look for an input that is zero in all rows, beside whole numbers that are given for each row, and vary."""
        import mlx.core as mx

        zero = [name for name, one in self.inputs if one.size == self.rows and not bool(mx.any(one).item())]
        beside = [name for name, one in varied if one.size == self.rows and bool(mx.any(one != one[0]).item())]
        return {InputZero: ((zero, beside), {"input": zero[0], "beside": beside[0]}) if zero and beside else None}


def attends(call: Callable[[], Any], rows: int) -> bool:
    """Tell whether, in a call, a softmax along the last axis weighs as many rows for each of as many."""
    import mlx.core as mx

    found, square = [False], (rows, rows)

    def of_scores(a: Any, axis: Any) -> bool:
        return bool(a.shape[-2:] == square and axis in (-1, a.ndim - 1))

    def of_queries(q: Any, k: Any) -> bool:
        return (q.shape[-2], k.shape[-2]) == square

    def heard(original: Callable[..., Any], is_square: Callable[..., bool], *names: str) -> Callable[..., Any]:
        given = Given(original, *names)

        @like(original)
        def hearing(*args: Any, **kwargs: Any) -> Any:
            found[0] = found[0] or is_square(*given(args, kwargs))
            return original(*args, **kwargs)

        return hearing

    loans = Loans()
    loans.replace(mx, "softmax", lambda original: heard(original, of_scores, "a", "axis"))
    loans.replace(mx.fast, "scaled_dot_product_attention", lambda original: heard(original, of_queries, "q", "k"))
    try:
        call()
    finally:
        loans.give_back()
    return found[0]
