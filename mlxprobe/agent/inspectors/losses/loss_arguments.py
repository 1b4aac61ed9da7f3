"""Whether MLX's losses are given what they take: by the numbers of their arguments, once the program has them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from mlxprobe.agent.graph import lazy_graph
from mlxprobe.agent.graph.dataflow import LossGraph
from mlxprobe.agent.inspectors.losses.choices import sums_to_one
from mlxprobe.agent.intercept.events import CallEvent
from mlxprobe.agent.intercept.intercepts import Observe
from mlxprobe.agent.intercept.states import GRADIENT, MAPPED, OURS, REPLAY, SAMPLED, TRACE
from mlxprobe.agent.introspection import call_site
from mlxprobe.agent.introspection.trees import is_vector
from mlxprobe.agent.recording.gradient_call import Call
from mlxprobe.agent.sampling.dispatcher import Inspection
from mlxprobe.agent.sampling.inspector import Inspector
from mlxprobe.protocol.facts.losses import ProbabilitiesGiven, WronglyGiven

SURE, LOOKS = 2, 6  # looks that found it, most of them; those of a line
HELD, LARGE = 8, 1 << 20  # arrays of a call, and elements of one
ROUGH, MOST, SOME = 0.05, 0.5, 0.01  # that a row's sum is off; of the rows; of the variances
MANY_ZEROS, SMOOTH = 0.1, 0.5  # of logits; of a target that all classes share
BEYOND = 0.3  # noise on targets of 0 and 1 is a known trick
NEAR, CLEAR = 1e-4, 1e-3  # of a loss that is a mean, and of that mean; a mean that has a sign

PRODUCTS = {"Matmul", "AddMM", "Convolution", "QuantizedMatmul"}

Judged = dict[str, Any]  # fields of the fact; none where nothing is wrong
Held = tuple[str, tuple[str, int], str, Any, int]  # a loss, its line, an argument, its array, and an axis

NEEDS, NEVER = SAMPLED | GRADIENT, TRACE | REPLAY | MAPPED | OURS


def shares(rows: Any, axis: int) -> Judged:
    """Judge targets that have a number for each class: rows of zeros may be left out later, weights be below zero."""
    import mlx.core as mx

    if lazy_graph.number(mx.min(rows)) < 0:
        return {}
    sums = mx.sum(rows.astype(mx.float32), axis=axis)
    off = mx.mean((mx.abs(sums - 1) > ROUGH) & (mx.abs(sums) > ROUGH))
    share, mean = lazy_graph.numbers(mx.stack([off.astype(mx.float32), mx.mean(sums)]))
    return {"kind": "no shares", "share": share, "sum": mean} if share > MOST / 5 else {}


def logits(rows: Any, axis: int) -> Judged:
    """Judge logits: none of them is below zero, and many are exactly that, behind a ReLU."""
    import mlx.core as mx

    low, zeros = lazy_graph.numbers(mx.stack([mx.min(rows), mx.mean(rows == 0)]).astype(mx.float32))
    return {"kind": "rectified", "share": zeros} if low == 0 and zeros > MANY_ZEROS else {}


def between(targets: Any, axis: int) -> Judged:
    """Judge targets of two classes."""
    low, high = lazy_graph.numbers(lazy_graph.extremes(targets))
    return {"kind": "beyond", "low": low, "high": high} if low < -BEYOND or high > 1 + BEYOND else {}


def logarithms(rows: Any, axis: int) -> Judged:
    """Judge what is to be log-probabilities: their exponentials sum to one."""
    import mlx.core as mx

    if sums_to_one(rows, axis):
        return {"kind": "probabilities"}
    sums = mx.logsumexp(rows.astype(mx.float32), axis=axis)
    off = mx.mean(mx.abs(sums) > ROUGH).astype(mx.float32)
    share, mean = lazy_graph.numbers(mx.stack([off, mx.mean(sums)]))
    return {"kind": "no logarithms", "share": share, "sum": mean} if share > MOST else {}


def variances(given: Any, axis: int) -> Judged:
    """Judge variances: none is below zero."""
    import mlx.core as mx

    share = lazy_graph.number(mx.mean(given < 0))
    return {"kind": "no variances", "share": share} if share > SOME else {}


def signs(targets: Any, axis: int) -> Judged:
    """Judge targets of -1 and 1: with zeros in place of -1 they are those of another loss."""
    import mlx.core as mx

    met = [bool(mx.any(targets == one).item()) for one in (0, 1)]
    return {"kind": "no signs"} if all(met) and bool(mx.all((targets == 0) | (targets == 1)).item()) else {}


JUDGES: dict[str, dict[str, Callable[[Any, int], Judged]]] = {  # by loss, and its argument
    "cross_entropy": {"logits": logits, "targets": shares},
    "binary_cross_entropy": {"targets": between},
    "nll_loss": {"inputs": logarithms},
    "kl_div_loss": {"inputs": logarithms, "targets": logarithms},
    "gaussian_nll_loss": {"vars": variances},
    "hinge_loss": {"targets": signs},
    "margin_ranking_loss": {"targets": signs},
    "cosine_similarity_loss": {},
}


class Takes(Inspector):
    """Hold what losses are given within a gradient call that is looked at, up to the end of the step."""

    emits = (WronglyGiven, ProbabilitiesGiven)
    observes = tuple(Observe(f"mlx.nn.losses.{one}", "_takes", after=True, needs=NEEDS, never=NEVER) for one in JUDGES)
    shadows = True

    def __init__(self, inspection: Inspection) -> None:
        super().__init__(inspection)
        self._held: list[Held] = []
        self._similar: list[tuple[Any, tuple[str, int]]] = []  # what cosine_similarity_loss has returned, and where
        self._loss: Any = None  # of which that may be all
        self._drawn = 0
        self._looks: dict[tuple[tuple[str, int], str], tuple[int, int]] = {}  # by argument: and those that found it

    def _takes(self, event: CallEvent) -> None:
        axis = -1 if event["axis"] is None else event["axis"]
        self.inspection.at_our_cost(self._hold, event.function, event, call_site.calling(), axis)

    def _hold(self, name: str, given: CallEvent, site: tuple[str, int], axis: int) -> None:
        for argument, judge in JUDGES[name].items():
            one = given[argument]
            known = self._looks.get((site, argument), (0, 0))[0] >= LOOKS
            classes = argument == "targets" and name == "cross_entropy" and one.ndim != given["logits"].ndim
            if judge is logarithms and not known:
                self._look_behind(name, site, one)
            if not (known or classes or is_vector(one)) and 1 < one.size <= LARGE and len(self._held) < HELD:
                self._held.append((name, site, argument, one, axis))
        smoothing = given["label_smoothing"]
        if smoothing is not None and smoothing > SMOOTH and (site, "label_smoothing") not in self._looks:
            self._looks[site, "label_smoothing"] = 1, 1
            classes = int(given["logits"].shape[axis])
            right = 1 - smoothing + smoothing / classes
            told = WronglyGiven(kind="smoothed", smoothing=smoothing, right=right, wrong=smoothing / classes)
            self.inspection.recorder.fact(told, site)
        if name == "cosine_similarity_loss" and given.result.size <= LARGE:
            self._similar.append((given.result, site))

    def _look_behind(self, name: str, site: tuple[str, int], one: Any) -> None:
        """See whether a loss of logarithms is given what a softmax or a layer returns, which nobody may evaluate."""
        if self.inspection.recorder.lazy_steps <= 1 and self._drawn < LOOKS:
            self._drawn += 1
            kind = LossGraph(lazy_graph.dot(loss=one)).operation("loss")
            if kind == "Softmax":
                self.inspection.recorder.fact(ProbabilitiesGiven(), site)
            elif kind in PRODUCTS:
                self.inspection.recorder.fact(WronglyGiven(kind="of a layer", loss=name), site)

    def calling(self) -> None:
        self.forget()

    def called(self, call: Call) -> None:
        self._loss = call.loss if call.model is not None else None

    def forget(self) -> None:
        self._held, self._similar, self._loss = [], [], None

    def look(self, step: int) -> None:
        held, similar, loss = self._held, self._similar, self._loss
        self.forget()
        for name, site, argument, one, axis in held:
            if not self.inspection.pending([one]):
                judge = partial(JUDGES[name][argument], one, axis)
                self._count(site, argument, {"loss": name, "argument": argument}, judge)
        if len(similar) == 1 and loss is not None and not self.inspection.pending([similar[0][0], loss]):
            made, site = similar[0]
            self._count(site, "", {}, partial(unaltered, made, loss))

    def _count(self, site: tuple[str, int], argument: str, detail: Judged, judge: Callable[[], Judged]) -> None:
        looks, times = self._looks.get((site, argument), (0, 0))
        found = judge()
        looks, times = looks + 1, times + bool(found)
        self._looks[site, argument] = looks, times
        if times == SURE and looks < 2 * SURE:
            is_likely = found["kind"] == "probabilities"
            self.inspection.recorder.fact(ProbabilitiesGiven() if is_likely else WronglyGiven(**detail, **found), site)


def unaltered(similarity: Any, loss: Any) -> Judged:
    """Judge a loss that is a similarity, or the mean or sum of some, and nothing else."""
    import mlx.core as mx

    value, mean, total = lazy_graph.numbers(
        mx.stack([loss, mx.mean(similarity), mx.sum(similarity)]).astype(mx.float32)
    )
    same = min(abs(value - mean), abs(value - total)) < NEAR
    return {"kind": "similarity"} if same and abs(mean) > CLEAR else {}
