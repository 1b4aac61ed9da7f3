"""Findings about the data that layers are given."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from mlxprobe.diagnosis.registry import each, facts, finding, listed, rule, seen_at
from mlxprobe.values.losses import fall
from mlxprobe.values.observation import Observation
from mlxprobe.values.record import Finding
from mlxprobe.values.vocabulary import Severity

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
    for fact in facts(seen, "id out of range"):
        low, high, limit = (float(str(fact.detail[name])) for name in ("low", "high", "limit"))
        worst = high if high >= limit else low
        message = f"{fact.detail['kind']} id {worst:.0f} is beyond a table of {limit:.0f}"
        yield rule("MP304").at(message, fact.file, fact.line, id=worst, table=limit)
    for fact in facts(seen, "loss share"):
        mark, classes, marked = (float(str(fact.detail.get(name, 0))) for name in ("mark", "classes", "marked"))
        if marked >= ENOUGH_LOOKS:
            message = f"targets of {mark:.0f} carry loss, and count from the end: as class {classes + mark:.0f}"
            message += f" of {classes:.0f}"
            yield rule("MP304").at(message, fact.file, fact.line, severity=Severity.WARNING, id=mark, table=classes)


IN_STEP = "one index and one order for inputs and targets; split first: copying, shuffling and turning come after it."
PLACED = {
    "batches overlap": "each batch begins one row after the one before: {seen} of the {rows} rows of {whole} are seen",
    "trained on what is kept": "of {rows} rows of the batches that were looked up, {found} are rows of {whole} as well",
    "targets shifted": "{argument} holds the rows of {whole} that lie {shift:+d} from those of {beside}, at all {rows} "
    "rows that were looked up",
    "targets in order": "{argument} holds the rows of {whole} in their order, and those of {beside} are drawn: they do "
    "not belong together",
    "targets cut": "{argument} holds {whole} without its fractions, and the loss is a squared error: of {rows} rows "
    "that were looked up {cut} are cut off",
    "turned apart": "rows of {turned} are turned round, and {stays} not with them, in {rows} that were looked up",
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
    yield from (replace(told, instead=IN_STEP) for told in each(seen, "MP309", PLACED))
    for tell in (_one_class, _alike, _same_batch, _torn_targets, _strange_ratios, _still_inputs, _rows_alike):
        yield from tell(seen)


def _alike(seen: Observation) -> Iterator[Finding]:
    """Tell of two inputs that are one."""
    for fact in [one for one in facts(seen, "inputs alike") if one.detail["looks"]]:
        message = f"{fact.detail['one']} and {fact.detail['other']} hold the same numbers at each of "
        message += f"{fact.detail['looks']} looks"
        void, shared = fact.detail.get("void"), fact.detail["shared"]
        message += ", and the same layers take both" if shared else ""
        cause = "the loss takes one from the other, and nothing is left" if void else "are they two draws from one key?"
        message += f": {cause}{seen_at(fact)}"
        severity = Severity.WARNING if shared or void else Severity.NOTE
        yield rule("MP309").at(message, fact.file, fact.line, severity=severity)


def _one_class(seen: Observation) -> Iterator[Finding]:
    """Tell of batches that hold one class each."""
    taken = max((step.gradients for step in seen.steps), default=1)  # of an update: together they may hold all classes
    for fact in facts(seen, "constant level"):
        looks, alone = (float(str(fact.detail.get(name, 0))) for name in ("batches", "alone"))
        classes = float(str(fact.detail["different"]))
        if alone >= max(ENOUGH_BATCHES, MOSTLY * looks) and classes >= SEVERAL_CLASSES:
            those = "each batch holds" if alone == looks else "most batches hold"
            message = f"{those} one class alone, or one and then the next, at {alone:.0f} of {looks:.0f} looks, of "
            message += f"{classes:.0f} in all: the rows come sorted by their targets"
            shared = taken > 1 or (seen.process is not None and seen.process.size > 1)  # other ranks have other classes
            severity = Severity.WARNING if fact.detail["returns"] and not shared else Severity.NOTE
            yield rule("MP309").at(message, fact.file, fact.line, severity=severity, one_class=alone)


def _same_batch(seen: Observation) -> Iterator[Finding]:
    """Tell of one batch that comes at every step."""
    for fact in [one for one in facts(seen, "same batch") if one.detail["looks"]]:
        message = (
            f"each step is given the same rows as {fact.detail['argument']}: made anew every time, the same at all "
            f"{fact.detail['looks']} looks, and a part of {fact.detail['whole']}, which has {fact.detail['rows']} rows"
        )
        message += seen_at(fact)
        severity = Severity.NOTE if fact.detail["cut"] else Severity.WARNING
        yield rule("MP309").at(message, fact.file, fact.line, severity=severity)


def _torn_targets(seen: Observation) -> Iterator[Finding]:
    """Tell of rows that come again with other targets."""
    for fact in facts(seen, "targets torn"):
        again, same = float(str(fact.detail["again"])), float(str(fact.detail["same"]))
        message = (
            f"rows that come again have other targets: {same:.0f} of {again:.0f} had the same, and chance is "
            f"{float(str(fact.detail['chance'])):.0%}"
        )
        path = fall(seen)
        stays = path is not None and path[1] > STAYS * path[0]
        severity = Severity.WARNING if stays else Severity.NOTE
        yield rule("MP309").at(message, fact.file, fact.line, severity=severity, again=again, same=same)


def _strange_ratios(seen: Observation) -> Iterator[Finding]:
    """Tell of log-probabilities of before that are of other rows."""
    for fact in facts(seen, "ratio"):
        looks, mean, most = (float(str(fact.detail[name])) for name in ("looks", "mean", "most"))
        if looks >= ENOUGH_RATIOS and mean < UNRELATED and most < HARDLY:
            message = (
                f"{fact.detail['argument']} knows nothing of what it is taken from: they correlate by {mean:.2f} at "
                f"{looks:.0f} looks. Are they of the same rows?"
            )
            yield rule("MP309").at(message, fact.file, fact.line, severity=Severity.NOTE, correlation=mean)


def _still_inputs(seen: Observation) -> Iterator[Finding]:
    """Tell of an input that stays while another changes."""
    for fact in facts(seen, "input still"):
        message = (
            f"{fact.detail['argument']} is one and the same array at all {fact.detail['looks']} looks, beside "
            f"{fact.detail['beside']}, which always changes"
        )
        yield rule("MP309").at(message, fact.file, fact.line, severity=Severity.NOTE)


def _rows_alike(seen: Observation) -> Iterator[Finding]:
    """Tell of batches whose rows are all equal."""
    supervised = any(fact.detail["supervised"] for fact in seen.facts if fact.name == "supervision")
    varied = any(one.name == "constant level" and float(str(one.detail["level"])) > 0 for one in seen.facts)
    for fact in facts(seen, "rows alike"):
        names = listed(fact.detail["names"])
        message = f"all rows of {names} are equal at each of {fact.detail['looks']} looks"
        if fact.detail["moves"]:
            message += ", to other values each time: are they one array, changed in place?"
            yield rule("MP309").at(message, fact.file, fact.line)
        elif supervised and varied:
            yield rule("MP309").at(f"{message}, and their targets are not", fact.file, fact.line)
