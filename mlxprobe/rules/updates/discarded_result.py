"""Results of functions that change nothing in place."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from mlxprobe.protocol.facts.models import InitialDropped
from mlxprobe.protocol.facts.work import ResultDropped
from mlxprobe.rules.registry import finding, rule
from mlxprobe.rules.rewriting import with_result_kept
from mlxprobe.schema.enums import Severity
from mlxprobe.schema.observation import Observation
from mlxprobe.schema.record import Finding

INITIAL = "`layer.weight = initializer(layer.weight)`."
TAKEN = (
    "`sums = sums.at[target].add(messages)`; for all weights of a model "
    "`model.update(tree_map(lambda p: mx.clip(p, -1, 1), model.parameters()))`."
)


@finding("MP219", "discarded-result", Severity.WARNING, explains=("MP201", "MP204", "MP306"), rewrite=with_result_kept)
def discarded_result(seen: Observation) -> Iterator[Finding]:
    """The result of an initializer, of `x.at[…].add` or of `mx.clip` is discarded.

    Why it matters: none of them changes its argument, so that the line does nothing.

    Example: `nn.init.he_normal()(layer.weight)`; `sums.at[target].add(messages)`; `for p in weights: p = mx.clip(p, -1,
    1)`.

    Use instead: `layer.weight = initializer(layer.weight)`; `sums = sums.at[target].add(messages)`.

    Limits: a result that is bound to a name which is read later counts as used.
    """
    for dropped, at in seen.facts(ResultDropped):
        message = f"the result of `{dropped.of}` is discarded: it changes nothing in place"
        found = rule("MP219").at(message, at.file, at.line, times=at.count)
        yield replace(found, instead=TAKEN)
    for initial, place in seen.facts(InitialDropped):
        message = f"the result of {initial.function} is discarded, {initial.times} times: it changes no array, and the "
        found = rule("MP219").at(f"{message}parameters that it is given stay as they are", place.file, place.line)
        yield replace(found, instead=INITIAL)
