"""Which rows of what the program holds its batches are, and whether their targets are of the same rows."""

from __future__ import annotations

import math
from collections import Counter
from itertools import pairwise
from typing import Any

from mlxprobe.agent.graph import lazy_graph
from mlxprobe.agent.inspectors.losses.loss_graph import is_amount, unique
from mlxprobe.agent.introspection import call_site
from mlxprobe.agent.introspection.trees import is_array
from mlxprobe.agent.recording import row_lookup
from mlxprobe.agent.recording.gradient_call import Call
from mlxprobe.agent.recording.row_ledger import hashes
from mlxprobe.agent.sampling.dispatcher import Inspection
from mlxprobe.agent.sampling.inspector import Inspector
from mlxprobe.agent.sampling.overhead_budget import is_landmark
from mlxprobe.protocol.facts.data import (
    BatchesOverlap,
    TargetsCut,
    TargetsInOrder,
    TargetsShifted,
    TrainedOnHeldOut,
    TurnedApart,
)

ARRAYS, LARGE, LAZY = 6, 1 << 24, 24  # of a call; bytes of one; that the program holds
SURE, LOOKS, STRANGE = 40, 3, 8  # rows, looks; rows with targets turned another way
SHIFTS = (0, 1, -1, 2, -2, 3, -3)
HALF = 0.5  # of a batch's rows are to be found; of an array's are seen
ENOUGH, ANYWHERE = 48, 0.1  # rows that were looked up; of them in what was to be kept apart
SURE_ERRORS = 4.0  # standard errors by which more are found than repeat among the kept rows
Held = tuple[dict[str, Any], list[tuple[str, Any]], call_site.Site]


class Pair:
    """An argument beside a batch, and an array of which it may be the same rows."""

    def __init__(self) -> None:
        self.rows = self.looks = self.in_order = 0
        self.shifted: Counter[int] = Counter()  # rows by their distance from those of the other argument
        self.right = self.wrong = 0  # rows turned as the batch's, and otherwise
        self.itself = 0  # of these, those where it is the batch
        self.cut = 0  # rows that have lost their fraction


class Path:
    """Where the batches of one argument lie."""

    def __init__(self) -> None:
        self.whole, self.rows = "", 0
        self.first: list[tuple[int, int, int]] = []  # steps, where batches began, and ended
        self.in_order = self.looks = 0
        self.ordered = False  # whether rows resemble those beside them


class Places(Inspector):
    """Find the rows of batches in the arrays that the program holds, at a few looks."""

    emits = (BatchesOverlap, TargetsCut, TargetsInOrder, TargetsShifted, TrainedOnHeldOut, TurnedApart)
    builds_on = ("Losses",)
    passes = 1

    def __init__(self, inspection: Inspection) -> None:
        super().__init__(inspection)
        self._held: Held | None = None
        self._paths: dict[str, Path] = {}
        self._pairs: dict[tuple[str, str, str], Pair] = {}  # batch, argument and array
        self._kept: dict[str, list[tuple[int, int, int, int]]] = {}  # rows looked up and found; own rows, and repeated
        self._squared: set[int] = set()  # ids of targets of a squared error
        self._site = ("", 0)

    def called(self, call: Call) -> None:
        self._squared = self.inspection.view.squared
        self._hold(dict(unique(call.data)), call.site)

    def given(self, args: Any) -> None:
        self._hold(dict(lazy_graph.named_leaves(list(args))), call_site.calling())

    def _hold(self, data: dict[str, Any], site: call_site.Site) -> None:
        self._held = None
        if self.inspection.inside or not is_landmark(self.inspection.recorder.step + 1):
            return
        arrays = {name: one for name, one in list(data.items())[:ARRAYS] if one.ndim and one.nbytes <= LARGE}
        tables = [one for one in arrays.values() if row_lookup.is_table(one)]
        if tables:
            own_ones = {id(one) for one in arrays.values()}
            self._held = arrays, [pair for pair in row_lookup.candidates(tables) if id(pair[1]) not in own_ones], site

    def forget(self) -> None:
        self._held = None

    def look(self, step: int) -> None:
        held = self._held
        self.forget()
        if held is None or self.inspection.pending(list(held[0].values())):
            return
        arrays, wholes, self._site = held
        lazy = [one for _, one in wholes if is_array(one)][:LAZY]
        if lazy and self.inspection.pending(lazy):
            waits = {id(one) for one in lazy if self.inspection.pending([one])}
            wholes = [pair for pair in wholes if id(pair[1]) not in waits]

        with self.inspection.nesting.peaks.hidden():
            for name, one in arrays.items():
                if row_lookup.is_table(one):
                    self._place(step, name, arrays, wholes)

    def _place(self, step: int, name: str, arrays: dict[str, Any], wholes: list[tuple[str, Any]]) -> None:

        batch = arrays[name]
        fits = [pair for pair in wholes if tuple(pair[1].shape[1:]) == tuple(batch.shape[1:])][: row_lookup.WHOLES]
        kept = [pair for pair in fits if row_lookup.KEPT.search(pair[0])]
        for called, whole in kept if is_amount(batch) else ():
            if not row_lookup.tells_apart(batch, whole):
                continue
            found = row_lookup.matches(batch, whole)
            told = sum(map(bool, found))
            own, repeated = row_lookup.repeated(whole) if told else (0, 0)
            self._kept.setdefault(called, []).append((len(found), told, own, repeated))
        larger = [pair for pair in fits if pair[1].shape[0] > batch.shape[0] and pair not in kept]
        for called, whole in larger:
            places = row_lookup.positions(batch, whole)
            known = {row: place for row, place in enumerate(places) if place is not None}
            if len(known) >= HALF * max(len(places), 4):
                path = self._paths.setdefault(name, Path())
                if not path.whole:
                    path.ordered = row_lookup.is_ordered(whole)
                path.whole, path.rows, path.looks = called, int(whole.shape[0]), path.looks + 1
                if row_lookup.is_in_a_row(places):
                    path.in_order += 1
                    path.first.append((step, places[0] or 0, (places[0] or 0) + int(batch.shape[0])))
                self._compare(name, known, whole, arrays, wholes)
                break
        if batch.ndim > 2:
            self._turn(name, larger, arrays, wholes)

    def _compare(
        self, name: str, known: dict[int, int], whole: Any, arrays: dict[str, Any], wholes: list[tuple[str, Any]]
    ) -> None:

        batch = arrays[name]
        for other, one in arrays.items():
            if one is batch or one.shape[0] != batch.shape[0] or one.size != one.shape[0]:
                continue
            for called, target in wholes:
                if target is whole or target.shape[0] != whole.shape[0] or target.size != target.shape[0]:
                    continue
                pair = self._pairs.setdefault((name, other, called), Pair())
                values, mine = (
                    lazy_graph.numbers(row_lookup.keys(target)),
                    lazy_graph.numbers(one.reshape(-1)[: row_lookup.ROWS]),
                )
                pair.looks += 1
                pair.rows += len(known)
                if id(one) in self._squared and not is_amount(one):
                    pair.cut += sum(0 < abs(values[k] - mine[row]) < 1 for row, k in known.items())
                for shift in SHIFTS:
                    pair.shifted[shift] += sum(
                        0 <= place + shift < len(values) and mine[row] == values[place + shift]
                        for row, place in known.items()
                    )
                rare = len(values) * (max(Counter(values).values()) / len(values)) ** len(mine) < 1e-3
                pair.in_order += rare and row_lookup.starts(mine, values)

    def _turn(
        self, name: str, larger: list[tuple[str, Any]], arrays: dict[str, Any], wholes: list[tuple[str, Any]]
    ) -> None:
        """See whether what is compared with images is turned round as they are."""
        batch = arrays[name]
        beside = [
            (other, one)
            for other, one in arrays.items()
            if one is not batch and one.ndim > 2 and one.shape[:3] == batch.shape[:3]
        ]
        for _, whole in larger if beside else ():
            ways = {axes: row_lookup.positions(row_lookup.turned(batch, axes), whole) for axes in row_lookup.TURNS}
            for other, one in beside:
                mine = {way: list(hashes(row_lookup.turned(one, way)[: row_lookup.ROWS])) for way in row_lookup.TURNS}
                for called, target in wholes:
                    if target is whole or tuple(target.shape) != (whole.shape[0], *one.shape[1:]):
                        continue
                    pair = self._pairs.setdefault((name, other, called), Pair())
                    for axes, places in ways.items():
                        known = {row: place for row, place in enumerate(places) if place is not None}
                        there = hashes(row_lookup.taken(target, list(known.values()))) if known else ()
                        for row, belongs in zip(known, there, strict=True):
                            same = {way for way in row_lookup.TURNS if mine[way][row] == belongs}
                            pair.right += same == {axes} != {()}  # else it looks the same turned
                            wrong = bool(same) and axes not in same
                            pair.wrong += wrong
                            pair.itself += wrong and bool(axes)

    def finish(self) -> None:
        self._tell_of_split()
        self._tell_of_pairs()
        for name, path in self._paths.items():
            steps = [(now[1] - before[1], now[0] - before[0]) for before, now in pairwise(path.first)]
            slides = [moved for moved, passed in steps if passed == 1]
            seen = max((end for *_, end in path.first), default=0)
            back = any(moved < 0 for moved, _ in steps)
            whole = path.in_order == path.looks >= LOOKS
            if whole and len(slides) > 1 and set(slides) == {1} and back and seen <= HALF * path.rows:
                told = BatchesOverlap(argument=name, whole=path.whole, rows=path.rows, seen=seen)
                self.inspection.recorder.fact(told, self._site)

    def _tell_of_split(self) -> None:
        """Report rows that are kept apart and trained on.

        Of rows that are drawn from few kinds as many are found as repeat among the kept ones themselves.
        """
        for called, looks in self._kept.items():
            rows, found, own, repeated = (sum(each) for each in zip(*looks, strict=True))
            often = sum(look[1] > 0 for look in looks) >= 2 / 3 * len(looks) and looks[0][1] > 0
            share = repeated / max(own, 1)
            error = math.sqrt(share * (1 - share) * (rows + rows**2 / max(own, 1)))  # of both samples
            exceeds = found - share * rows > SURE_ERRORS * error
            if rows >= ENOUGH and found >= ANYWHERE * rows and often and exceeds and len(looks) >= LOOKS:
                self.inspection.recorder.fact(TrainedOnHeldOut(whole=called, rows=rows, found=found), self._site)

    def _tell_of_pairs(self) -> None:
        agree = {key for key, pair in self._pairs.items() if pair.rows and pair.shifted[0] == pair.rows}
        right = {key[:2] for key in agree} | {(key[0], key[2]) for key in agree}
        for (name, other, called), pair in self._pairs.items():
            told = {"argument": other, "beside": name, "whole": called}
            if pair.wrong >= STRANGE and not pair.right:
                turned, stays = (name, other) if 2 * pair.itself > pair.wrong else (other, name)
                self.inspection.recorder.fact(TurnedApart(turned=turned, stays=stays, rows=pair.wrong), self._site)
            if (name, other) in right or (name, called) in right or pair.rows < SURE or pair.looks < LOOKS:
                continue
            if pair.cut + pair.shifted[0] == pair.rows <= 2 * pair.cut:
                self.inspection.recorder.fact(TargetsCut(**told, cut=pair.cut, rows=pair.rows), self._site)
                continue
            path = self._paths[name]
            shift = next((one for one, rows in pair.shifted.items() if rows == pair.rows), 0)
            if shift and pair.shifted[0] < 0.9 * pair.rows and not path.ordered:
                self.inspection.recorder.fact(TargetsShifted(**told, shift=shift, rows=pair.rows), self._site)
            elif pair.in_order == pair.looks and not path.in_order and pair.shifted[0] < 0.9 * pair.rows:
                self.inspection.recorder.fact(TargetsInOrder(**told, rows=pair.rows), self._site)
