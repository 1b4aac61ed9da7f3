"""Findings about the data that layers are given."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from mlxprobe.diagnosis.registry import finding, findings_from_facts, listed, rule, seen_at
from mlxprobe.protocol.facts.data import (
    BatchesOverlap,
    ConstantLevel,
    IdOutOfRange,
    InputsAlike,
    InputStill,
    RowsAlike,
    SameBatch,
    TargetsCut,
    TargetsInOrder,
    TargetsShifted,
    TargetsTorn,
    TrainedOnHeldOut,
    TurnedApart,
)
from mlxprobe.protocol.facts.losses import LossShare, ProbabilityRatio, Supervision
from mlxprobe.schema.enums import Severity
from mlxprobe.schema.losses import fall
from mlxprobe.schema.observation import Observation
from mlxprobe.schema.record import Finding

ENOUGH_LOOKS = 2
ENOUGH_BATCHES, MOSTLY = 6, 0.75  # looks; and of all of them, where one class ends and another begins
SEVERAL_CLASSES = 3  # real and false samples often come apart
ENOUGH_RATIOS, UNRELATED, HARDLY = 6, 0.2, 0.5  # looks; their mean correlation, and the highest
STAYS = 0.9  # of its first readings: a loss that learns nothing


@finding("MP304", "id-out-of-range", needs="ids")
def id_out_of_range(seen: Observation) -> Iterator[Finding]:
    """An index is beyond the embedding or the logits.

    MLX checks no bounds: it reads whatever lies there, and the loss looks plausible. An id below zero counts from the
    end of the table: a mark such as -100, which other frameworks leave out of the loss, is trained as a class like any
    other. That is a warning, where positions with such a mark carry loss.

    Example: a tokenizer with 32,001 ids before an embedding of 32,000 rows; `cross_entropy(logits, labels)` with labels
    of -100.

    Use instead: as many rows as the tokenizer has ids; a mask for ids that mean "ignore".
    """
    for fact, at in seen.facts(IdOutOfRange):
        worst = fact.high if fact.high >= fact.limit else fact.low
        message = f"{fact.kind} id {worst} is beyond a table of {fact.limit}"
        yield rule("MP304").at(message, at.file, at.line, id=worst, table=fact.limit)
    for fact, at in seen.facts(LossShare):
        mark, classes = fact.mark, fact.classes
        if fact.marked >= ENOUGH_LOOKS:
            message = f"targets of {mark} carry loss, and count from the end: as class {classes + mark} of {classes}"
            yield rule("MP304").at(message, at.file, at.line, severity=Severity.WARNING, id=mark, table=classes)


IN_STEP = "one index and one order for inputs and targets; split first: copying, shuffling and turning come after it."
PLACED = {
    BatchesOverlap: "each batch begins one row after the one before: {seen} of the {rows} rows of {whole} are seen",
    TrainedOnHeldOut: "of {rows} rows of the batches that were looked up, {found} are rows of {whole} as well",
    TargetsShifted: "{argument} holds the rows of {whole} that lie {shift:+d} from those of {beside}, at all {rows} "
    "rows that were looked up",
    TargetsInOrder: "{argument} holds the rows of {whole} in their order, and those of {beside} are drawn: they do "
    "not belong together",
    TargetsCut: "{argument} holds {whole} without its fractions, and the loss is a squared error: of {rows} rows "
    "that were looked up {cut} are cut off",
    TurnedApart: "rows of {turned} are turned round, and {stays} not with them, in {rows} that were looked up",
}


@finding("MP309", "repeated-data", Severity.WARNING)
def repeated_data(seen: Observation) -> Iterator[Finding]:
    """The batches hold the same again: one batch at every step, one row in all places, or a row with another target.

    The same batch is told where it is made anew for each step, as by `next(iter(loader))`, and is a part of a larger
    array that the program holds: whoever fits one batch on purpose, or the whole set at once, does neither; where a
    line takes the first rows of that array (`x[:32]`) it may be on purpose too, and this is a note. Rows are told where
    all of a batch's are equal, in each of its inputs, and go from step to step to other values: entries of a list that
    are one and the same array, which has been written to since; or where the targets beside them differ, so that no
    input tells them apart. Where a row that comes again has the same target no more often than any two rows, inputs and
    targets have been shuffled apart; where the loss falls all the same that is a note. So it is where a ratio,
    `mx.exp(new - old)`, is of log-probabilities of before that do not go with those of now, and where one input is made
    once for the whole run while another of as many rows changes: samples of a generator that were drawn before the
    loop, or points that are meant to stay. Batches of one class each, one class after another and round again, come of
    a file that is sorted and not shuffled: each update unlearns the classes before. Two inputs that hold the same
    numbers each time are a note, and a warning where the same layers take both first: two views of the same rows that
    were to differ. So it is where the loss takes one from the other beside what the model makes of them: what is to be
    learned is zero. Where a batch is rows of an array that the program holds, its targets are looked for among the rows
    of another that is as long: those that lie beside the same rows, those that follow, in spite of a permutation, or
    the same ones without their fractions; images are looked for turned round too, and what lies beside them is to be
    turned with them. Rows of an array whose name says that it is kept for a validation or test are not to be trained
    on, and batches are not to begin one row after another.

    Example: `next(iter(loader))` inside the loop; `buffer.append(state)` of a NumPy array that is then changed in
    place.

    Use instead: one iterator, made before the loop; `buffer.append(state.copy())`;
    a permutation of the rows, drawn anew for each epoch; `mx.random.split(key)` for two views.
    """
    yield from (replace(told, instead=IN_STEP) for told in findings_from_facts(seen, "MP309", PLACED))
    for tell in (_one_class, _alike, _same_batch, _torn_targets, _strange_ratios, _still_inputs, _rows_alike):
        yield from tell(seen)


def _alike(seen: Observation) -> Iterator[Finding]:
    """Tell of two inputs that are one."""
    for fact, at in [one for one in seen.facts(InputsAlike) if one[0].looks]:
        message = f"{fact.one} and {fact.other} hold the same numbers at each of {fact.looks} looks"
        message += ", and the same layers take both" if fact.shared else ""
        left = "the loss takes one from the other, and nothing is left"
        message += f": {left if fact.void else 'are they two draws from one key?'}{seen_at(fact)}"
        severity = Severity.WARNING if fact.shared or fact.void else Severity.NOTE
        yield rule("MP309").at(message, at.file, at.line, severity=severity)


def _one_class(seen: Observation) -> Iterator[Finding]:
    """Tell of batches that hold one class each."""
    taken = max((step.gradients for step in seen.steps), default=1)  # of an update: together they may hold all classes
    for fact, at in seen.facts(ConstantLevel):
        looks, alone = fact.batches, fact.alone
        if alone >= max(ENOUGH_BATCHES, MOSTLY * looks) and fact.different >= SEVERAL_CLASSES:
            those = "each batch holds" if alone == looks else "most batches hold"
            message = f"{those} one class alone, or one and then the next, at {alone} of {looks} looks, of "
            message += f"{fact.different} in all: the rows come sorted by their targets"
            shared = taken > 1 or (seen.process is not None and seen.process.size > 1)  # other ranks have other classes
            severity = Severity.WARNING if fact.returns and not shared else Severity.NOTE
            yield rule("MP309").at(message, at.file, at.line, severity=severity, one_class=alone)


def _same_batch(seen: Observation) -> Iterator[Finding]:
    """Tell of one batch that comes at every step."""
    for fact, at in [one for one in seen.facts(SameBatch) if one[0].looks]:
        message = (
            f"each step is given the same rows as {fact.argument}: made anew every time, the same at all "
            f"{fact.looks} looks, and a part of {fact.whole}, which has {fact.rows} rows{seen_at(fact)}"
        )
        severity = Severity.NOTE if fact.cut else Severity.WARNING
        yield rule("MP309").at(message, at.file, at.line, severity=severity)


ONE_ORDER = "one order for both: `order = mx.random.permutation(len(x))`, then `x[order]` and `y[order]`."


def _torn_targets(seen: Observation) -> Iterator[Finding]:
    """Tell of rows that come again with other targets."""
    for fact, at in seen.facts(TargetsTorn):
        message = f"rows that come again have other targets: {fact.same} of {fact.again} had the same, and chance is "
        message += f"{fact.chance:.0%}"
        path = fall(seen)
        stays = path is not None and path[1] > STAYS * path[0]
        severity = Severity.WARNING if stays else Severity.NOTE
        found = rule("MP309").at(message, at.file, at.line, severity=severity, again=fact.again, same=fact.same)
        yield replace(found, instead=ONE_ORDER)


def _strange_ratios(seen: Observation) -> Iterator[Finding]:
    """Tell of log-probabilities of before that are of other rows."""
    for fact, at in seen.facts(ProbabilityRatio):
        if fact.looks >= ENOUGH_RATIOS and fact.mean < UNRELATED and fact.most < HARDLY:
            message = (
                f"{fact.argument} knows nothing of what it is taken from: they correlate by {fact.mean:.2f} at "
                f"{fact.looks} looks. Are they of the same rows?"
            )
            yield rule("MP309").at(message, at.file, at.line, severity=Severity.NOTE, correlation=fact.mean)


def _still_inputs(seen: Observation) -> Iterator[Finding]:
    """Tell of an input that stays while another changes."""
    for fact, at in seen.facts(InputStill):
        message = f"{fact.argument} is one and the same array at all {fact.looks} looks, beside {fact.beside}, which "
        message += "always changes"
        yield rule("MP309").at(message, at.file, at.line, severity=Severity.NOTE)


def _rows_alike(seen: Observation) -> Iterator[Finding]:
    """Tell of batches whose rows are all equal."""
    supervised = any(fact.supervised for fact, _ in seen.every(Supervision))
    varied = any(fact.level > 0 for fact, _ in seen.every(ConstantLevel))
    for fact, at in seen.facts(RowsAlike):
        message = f"all rows of {listed(fact.names)} are equal at each of {fact.looks} looks"
        if fact.moves:
            message += ", to other values each time: are they one array, changed in place?"
            yield rule("MP309").at(message, at.file, at.line)
        elif supervised and varied:
            yield rule("MP309").at(f"{message}, and their targets are not", at.file, at.line)
