"""Faults put into random training programs: edits of their text, each marked with the code that must be found."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from hypothesis import strategies as st

from mlxprobe.fuzz.training_programs.loops import UPDATES, Loop
from mlxprobe.fuzz.training_programs.plan import Plan, plans
from mlxprobe.fuzz.training_programs.render import WORDS, Writer


@dataclass(frozen=True)
class Fault:
    """A fault: the codes of which one must be found, further ones it may cause, and the plans it applies to."""

    codes: tuple[str, ...]
    also: tuple[str, ...] = ()
    needs: dict[str, Any] = field(default_factory=dict)


SUMMED: dict[str, Any] = {"accumulate": (2, 3, 4), "compiled": (False,)}
PLAIN: dict[str, Any] = {"start": ("fresh",), "compiled": (False,)}
FAULTS = {
    "no evaluation": Fault(
        ("MP101",), ("MP102", "MP103"), {"validates": (False,), "saves": (False,), "start": ("fresh", "pretrained")}
    ),
    "evaluates a generator": Fault(("MP104",), ("MP101", "MP102", "MP105")),
    "loss kept unevaluated": Fault(("MP105",), ("MP103",), {"compiled": (False,), "start": ("fresh",)}),
    "stopped gradient": Fault(("MP201",), ("MP306",), {"compiled": (False,)}),
    "frozen part trained": Fault(("MP202",), (), {"frozen": (True,)}),
    "sum of gradients": Fault(("MP203",), (), SUMMED | {"optimizer": ("SGD", "Momentum"), "clips": (False,)}),
    "remainder dropped": Fault(("MP204",), (), SUMMED | {"start": ("fresh", "pretrained")}),
    "copy updated": Fault(("MP205",), ("MP306",), PLAIN),
    "result dropped": Fault(("MP205",), ("MP306",), PLAIN),
    "everything frozen": Fault(("MP206",), ("MP306", "MP201", "MP205"), PLAIN | {"clips": (False,)}),
    "rate times 10,000": Fault(
        ("MP208", "MP207"),
        ("MP207", "MP208", "MP306", "MP201", "MP205"),
        {
            "task": ("regression", "autoencoder"), "optimizer": ("SGD", "Momentum"), "clips": (False,),
            "start": ("fresh", "pretrained"), "compiled": (False,),
        },
    ),
    "labels ignored": Fault(
        ("MP301",), ("MP306",), {"task": ("regression", "classification", "next token"), "compiled": (False,)}
    ),
    "log of a sum of exp": Fault(("MP302",), (), {"task": ("classification", "next token"), "compiled": (False,)}),
    "unshifted": Fault(("MP303",), (), {"task": ("next token",), "compiled": (False,)}),
    "id beyond the table": Fault(
        ("MP304",), ("MP207", "MP208", "MP306"), {"data": ("tokens",), "task": ("classification", "next token")}
    ),
    "nothing to learn": Fault(
        ("MP306",),
        ("MP205", "MP210"),
        {"task": ("regression", "classification"), "reads": ("list", "sum"), "warmup": (False,), "start": ("fresh",)},
    ),
    "prefix dropped": Fault(("MP401",), (), {"start": ("pretrained",)}),
    "optimizer state unread": Fault(("MP402",), (), {"start": ("resumed",)}),
    "compiled without state": Fault(
        ("MP501",), ("MP101", "MP205", "MP306"), {"compiled": (True,), "start": ("fresh",)}
    ),
    "counter of a compiled step": Fault(("MP502",), (), {"compiled": (True,)}),
    "fork": Fault(("MP601",)),
}  # fmt: skip


def faulty(*names: str) -> st.SearchStrategy[tuple[Plan, str]]:
    """Draw a fault, of those named or of all, and a plan to which it applies."""
    drawn = st.sampled_from(names or tuple(FAULTS))
    return drawn.flatmap(lambda name: st.tuples(plans(**FAULTS[name].needs), st.just(name)))


def source(plan: Plan, fault: str = "") -> str:
    """Write the program of a plan, with a fault of `FAULTS` whose line is marked with the code."""
    if not fault:
        return Writer(plan).text()
    known = FAULTS[fault]
    if fault == "sum of gradients":
        plan = replace(plan, averages="nothing")
    if fault == "loss kept unevaluated" and plan.reads == "every":
        plan = replace(plan, reads="list")
    program = Program(plan, f"  # {known.codes[0]}")
    program.text = program.text.replace("nothing is wrong", fault, 1)
    EDITS[fault](program)
    comments = [f"# or: {', '.join(known.codes[1:])}"] * bool(known.codes[1:])
    comments += [f"# also: {', '.join(known.also)}"] * bool(known.also)
    return "\n".join([program.text, *(f"{line}\n" for line in comments)])


class Program:
    """The text of a program, the lines that faults are put into, and the mark of the fault."""

    def __init__(self, plan: Plan, mark: str) -> None:
        self.plan, self.mark, self.text = plan, mark, Writer(plan).text()
        loop = Loop(plan, Writer(plan).batch)
        self.own, self.model, self.optimizer, self.label = loop.own, loop.m, loop.o, Writer(plan).label
        self.setup = f"{loop.g} = nn.value_and_grad({loop.m}, loss_fn)"
        self.gradient = f"{loop.g}({loop.m}, {loop.names})"
        self.update = f"{loop.o}.update({loop.m}, grads)"
        self.compiled_call = f"loss = {loop.own}fast_step({loop.names})"

    def put(self, old: str, *new: str) -> None:
        """Replace the lines that end with a text; further lines are indented as the first."""

        def lines(found: re.Match[str]) -> str:
            return f"\n{found[1]}".join([found[1] + found[2] + new[0], *new[1:]]) if new else ""

        self.text = re.sub(rf"(?m)^( *)(.*){re.escape(old)}$" + "\n" * (not new), lines, self.text)

    def drop(self, pattern: str) -> None:
        """Remove the lines that a pattern matches after their indentation."""
        self.text = re.sub(rf"(?m)^ *(?:{pattern})\n", "", self.text)

    def mark_step(self) -> None:
        """Mark the call of a compiled step, or else the gradients."""
        line = self.compiled_call if self.plan.compiled else self.gradient
        self.put(line, line + self.mark)


def _no_evaluation(one: Program) -> None:
    line = one.compiled_call if one.plan.compiled else one.update
    one.put(line, line + one.mark)
    one.drop(r"mx\.eval\(.*(state|total).*\)")
    one.drop(r"losses\.append\(.*\)|running \+= .*|if number % \d+ == 0:\n *print\(f\"\{number\}: .*\)")
    one.text = re.sub(r"(?m)^( *)print\(f\"\{(losses|running|number).*", r'\1print(f"{loss.item():.4f}")', one.text)


def _generator(one: Program) -> None:
    line = f"mx.eval(each for _, each in tree_flatten({one.model}.parameters())){one.mark}".replace("each", "one")
    one.text = re.sub(r"(?m)^( *)mx\.eval\(.*state.*\)", lambda found: found[1] + line, one.text)


def _loss_kept(one: Program) -> None:
    one.text = one.text.replace("mx.eval(loss, ", "mx.eval(")
    is_list = one.plan.reads == "list"
    one.put("losses.append(loss.item())", f"losses.append(loss){one.mark}")
    one.put("running += float(loss)", f"running = running + loss{one.mark}")
    kept = "mx.stack(losses).mean()" if is_list else "(running / number)"
    line = f'print(f"{{{kept}.item():.4f}}")'
    one.text = re.sub(r"(?m)^( *)print\(f\"\{(losses|running).*", lambda found: found[1] + line, one.text)


def _part_trained(one: Program) -> None:
    lines = ["def of_parameters(parameters, *batch):", f"    {one.model}.update(parameters)"]
    lines += [
        f"    return loss_fn({one.model}, *batch)",
        one.setup.partition(" = ")[0] + " = mx.value_and_grad(of_parameters)",
    ]
    one.put(one.setup, *lines)
    one.put(one.gradient, one.gradient.replace(f"({one.model},", f"({one.model}.parameters(),", 1))
    one.put(one.update, one.update + one.mark)


def _remainder_dropped(one: Program) -> None:
    one.put(one.gradient, one.gradient + one.mark)
    one.text = re.sub(r"(?m)^( *)if count:\n(\1 +.*\n)+", "", one.text)
    count = (UPDATES + 1) * one.plan.accumulate - 1
    one.text = re.sub(r"(?m)^( *data = .*batches\()\d+", rf"\g<1>{count}", one.text)


def _copy_updated(one: Program) -> None:
    shadow = f"{one.own}shadow"
    one.put(one.setup, f"{shadow} = copy.deepcopy({one.model})", one.setup)
    one.put(one.update, f"{one.optimizer}.update({shadow}, grads){one.mark}")
    line = f"mx.eval({shadow}.parameters(), {one.optimizer}.state)"
    one.text = re.sub(r"(?m)^( *)mx\.eval\(.*state.*\)", lambda found: found[1] + line, one.text)


def _everything_frozen(one: Program) -> None:
    one.text = one.text.replace("    return model, optim", f"    model.freeze(){one.mark}\n    return model, optim", 1)


def _rate(factor: float) -> Callable[[Program], None]:
    def edit(one: Program) -> None:
        rate = re.search(r"learning_rate=(?:.*?linear_schedule\(0\.0, )?([\d.e-]+)", one.text)
        assert rate is not None
        head, found, rest = one.text.partition("    return model, optim")
        one.text = head + found + rest.replace(rate[1], f"{float(rate[1]) * factor:.6g}", 2 if one.plan.warmup else 1)
        one.mark_step()
        if not factor:
            line = f"yield {Writer(one.plan).batch}"
            one.put(line, f"{one.label or 'y'} = mx.random.permutation({one.label or 'y'})", line)

    return edit


def _labels_ignored(one: Program) -> None:
    one.text = re.sub(r"(?m)^( *outputs = .*)", rf"\g<1>{one.mark}", one.text)
    one.text = re.sub(r"mx\.mean\(\(outputs - .*\) \*\* 2\)", "mx.mean(outputs ** 2)", one.text)
    value = "-mx.mean(outputs - mx.logsumexp(outputs, axis=-1, keepdims=True))"
    one.text = re.sub(r"nn\.losses\.cross_entropy\(.*\)", value, one.text)


def _log_of_sum(one: Program) -> None:
    def lines(found: re.Match[str]) -> str:
        return (
            f"    total = mx.log(mx.sum(mx.exp(outputs), axis=-1)){one.mark}\n"
            f"    chosen = mx.take_along_axis(outputs, {found[1]}[..., None], axis=-1).squeeze(-1)\n"
            "    value = mx.mean(total - chosen)"
        )

    one.text = re.sub(r"    value = nn\.losses\.cross_entropy\(outputs, (.*), reduction=.*\)", lines, one.text)


def _unshifted(one: Program) -> None:
    one.text = re.sub(r"(?m)^(.*)x\[:, 1:\](.*)", rf"\g<1>x[:, :-1]\g<2>{one.mark}", one.text)


def _prefix_dropped(one: Program) -> None:
    renamed = '{f"model.{key}": one for key, one in tree_flatten(build()[0].parameters())}'
    weights = 'f"{FOLDER.name}/weights.safetensors"'
    one.put(f"build()[0].save_weights({weights})", f"mx.save_safetensors({weights}, {renamed})")
    one.put(f"model.load_weights({weights})", f"model.load_weights({weights}, strict=False){one.mark}")


def _state_unread(one: Program) -> None:
    line = 'model.load_weights(f"{FOLDER.name}/weights.safetensors")'
    one.put(line, line + one.mark)
    one.drop(r"optimizer\.state = tree_unflatten.*")


def _uncaptured(one: Program) -> None:
    one.text = re.sub(r", inputs=.*, outputs=.*\)", f"){one.mark}", one.text)
    decorated = r"(?m)^( *)@partial\(mx\.compile\).*\n *def fast_step((.*\n)*?)( *return loss)\n"
    line = f"fast_step = mx.compile(step){one.mark}"
    one.text = re.sub(decorated, rf"\1def step\2\4\n\g<1>{line}\n", one.text)


def _counter(one: Program) -> None:
    one.text = re.sub(r"(?m)^( *def (?:fast_)?step\(.*)\):", r"\1, number):", one.text)
    one.put(one.gradient, one.gradient, "grads = tree_map(lambda grad: grad * 0.99**number, grads)")
    one.put(one.compiled_call, f"{one.compiled_call[:-1]}, number){one.mark}")


def _fork(one: Program) -> None:
    lines = f"""\
child = os.fork(){one.mark}
if child == 0:
    import signal
    signal.alarm(1)  # else it may wait for ever
    mx.eval(mx.ones((2,)) + 1)
    os._exit(0)
os.waitpid(child, 0)
"""
    body, entry, rest = one.text.partition('\n\nif __name__ == "__main__":')
    indent = "    " if entry else ""
    one.text = body + "".join(f"{indent}{line}\n" for line in lines.splitlines()) + entry + rest


def _replaced(old: str, new: str) -> Callable[[Program], None]:
    """Return an edit that replaces a line's end and marks it."""
    return lambda one: one.put(old, new + one.mark)


def _at_update(one: Program) -> None:
    one.put(one.update, one.update + one.mark)


def _result_dropped(one: Program) -> None:
    one.put(one.update, f"{one.optimizer}.apply_gradients(grads, {one.model}.trainable_parameters()){one.mark}")


def _beyond_table(one: Program) -> None:
    one.text = one.text.replace(f"self.stem = nn.Embedding({WORDS}", f"self.stem = nn.Embedding({WORDS - 1}")
    one.text = re.sub(r"(?m)^( *x = self\.stem\(.*)", rf"\g<1>{one.mark}", one.text)


EDITS: dict[str, Callable[[Program], None]] = {
    "no evaluation": _no_evaluation,
    "evaluates a generator": _generator,
    "loss kept unevaluated": _loss_kept,
    "stopped gradient": _replaced("x = self.body(x)", "x = mx.stop_gradient(self.body(x))"),
    "frozen part trained": _part_trained,
    "sum of gradients": _at_update,
    "remainder dropped": _remainder_dropped,
    "copy updated": _copy_updated,
    "result dropped": _result_dropped,
    "everything frozen": _everything_frozen,
    "rate times 10,000": _rate(1e4),
    "labels ignored": _labels_ignored,
    "log of a sum of exp": _log_of_sum,
    "unshifted": _unshifted,
    "id beyond the table": _beyond_table,
    "nothing to learn": _rate(0.0),
    "prefix dropped": _prefix_dropped,
    "optimizer state unread": _state_unread,
    "compiled without state": _uncaptured,
    "counter of a compiled step": _counter,
    "fork": _fork,
}
