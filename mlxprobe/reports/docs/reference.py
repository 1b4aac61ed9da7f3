"""Reference: command line, settings, outcomes and exit codes, the pytest marker and Python."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence

from mlxprobe.reports.docs.inputs import Command, Material, Words
from mlxprobe.reports.docs.markdown import code, prose, table
from mlxprobe.schema.enums import HangKind, Live, Outcome, Role, Word
from mlxprobe.settings.table import Setting

NAV = [
    {"Command line": "cli.md"},
    {"Settings": "settings.md"},
    {"Outcomes and exit codes": "outcomes.md"},
    {"Errors of MLX's backends": "errors.md"},
    {"Metal": "metal.md"},
    {"In tests and from Python": "python.md"},
    {"Records": "record.md"},
    {"What attach writes": "attach.md"},
]
MEANINGS: dict[Word, str] = {
    Outcome.PASS: "It came to its end, and nothing is wrong with its result.",
    Outcome.UNHEALTHY: "It came to its end, and `mlxprobe watch` found an error or a warning.",
    Outcome.HANG: "No progress for longer than the stall limit; its kind says what it was doing meanwhile.",
    Outcome.MEMORY: "It reached the memory limit, or grew past the correct loop by more than the scenario allows.",
    Outcome.CRASH: "A signal ended it, such as SIGSEGV.",
    Outcome.ERROR: "An exception ended it.",
    Outcome.NAN: "A loss, or its result, is NaN or infinite.",
    Outcome.NO_LEARNING: "It finishes, and its loss has not fallen where the correct loop's does.",
    Outcome.WRONG: "It finishes, and its losses or parameters are not the correct loop's, beyond a stated tolerance.",
    Outcome.SLOW: "It was ended by the time limit while it moved, or its steps take a multiple of the correct loop's.",
    Outcome.SKIPPED: "It cannot run here: another device or release is needed.",
    Outcome.UNJUDGED: "Nothing can be said: MLX was never imported, or the run was interrupted. Never a pass.",
    HangKind.DEADLOCK: "Every thread of the tree slept, was on no processor, and its stack stayed the same.",
    HangKind.STALL: "Busy inside one evaluation.",
    HangKind.WAITING: "It waits for what is not in its hands: a person, the network, a debugger, a sleep's end.",
    HangKind.UNKNOWN: "It is not known, such as while waiting for a GPU whose load cannot be read.",
    Live.ALIVE: "Its Python code moves, it computes, or a compiler works for it; without MLX that may be no progress.",
    Live.IDLE: "It waits for what is not in its hands: input, a sleep's end, a connection, a signal to go on.",
    Live.DEADLOCK: "All threads that matter sleep without a time limit, and only they could wake each other.",
    Live.STALL: "One evaluation is the work of many steps; with `--stall-limit`, a call or loop lasts so long.",
    Live.UNJUDGED: "It is not known, such as where its stacks may not be read; the report says what is needed.",
    Role.CORRECT: "The loop that is right; every scenario has exactly one.",
    Role.BROKEN: "A loop with the fault.",
    Role.DOCUMENTED_FIX: "A document's own repaired code, which may itself be broken.",
    Role.MITIGATION: "What documents or users suggest, measured like the rest.",
    Role.REFERENCE: "An independent result in NumPy float64.",
}
EXIT_CODES = (
    ("0", "As expected; no regression; nothing to cure."),
    ("1", "A verdict against it; what is not as expected is run twice more, and *intermittent (1 of 3)* counts."),
    ("2", "Could not judge, or wrong usage: one sentence on stderr says what would be right."),
    ("130, 143, 129", "Ended by Ctrl-C, SIGTERM or SIGHUP, after ending the programs and writing what there is."),
)
WATCH_CODES = (
    "`mlxprobe watch` ends with the program's own exit code, and by the same signal. It is 1 where mlxprobe ended "
    "the program (`--stall-limit`, `--timeout`, `--memory-limit`), and where it ended well and `--fail-on` says so."
)

ATTACH_CODES = (
    "`mlxprobe attach` ends with 0 where the process is alive or idle, with 1 at a deadlock or a stall, and with 2 "
    "where that could not be judged: no such process, no right to read it, or nothing to judge by."
)


def pages(material: Material) -> dict[str, str]:
    """Return the pages by their paths."""
    made = {
        "cli": _command_line(material),
        "settings": _settings(material.settings),
        "outcomes": _outcomes(),
        "python": _python(material.words),
    }
    return {f"reference/{name}.md": "\n".join(lines) for name, lines in made.items()}


def _command_line(material: Material) -> Iterator[str]:
    yield "# Command line\n"
    yield from table(("command", "what it does"), ((f"[{c.name}](#{c.name})", _first(c)) for c in material.commands))
    yield "Progress goes to stderr, results to stdout. `NO_COLOR` and `FORCE_COLOR` are honoured."
    for one in material.commands:
        yield f"\n## {one.name}\n"
        yield from code([one.usage], "text")
        yield "\n" + "\n\n".join(prose(part) for part in one.help.split("\n\n"))
        yield from table(("option", ""), ((f"`{names}`", prose(told)) for names, told in one.options))


def _first(command: Command) -> str:
    return prose(command.help.split("\n\n")[0])


def _settings(settings: Sequence[Setting]) -> Iterator[str]:
    yield "# Settings\n"
    yield (
        "A setting's value is its default, unless `[tool.mlxprobe]` in the nearest pyproject.toml has another; unless "
        "the environment has another; unless a flag does. A value that cannot be used names where it came from."
    )
    yield from table(("flag", "`[tool.mlxprobe]`", "environment", "what it does", "right is"), map(_setting, settings))
    yield "Two tables go with them: `[tool.mlxprobe.programs.NAME]` (your own programs) and `[tool.mlxprobe.allow]`."


def _setting(one: Setting) -> tuple[str, ...]:
    return f"`{one.flag}`", f"`{one.key}`", f"`{one.variable}`", prose(one.told()), prose(one.right)


def _outcomes() -> Iterator[str]:
    yield "# Outcomes and exit codes\n\nOne vocabulary for `run`, `watch`, `gate`, `matrix`, `bisect` and pytest."
    for title, kind in (("Outcomes", Outcome), ("Kinds of hang", HangKind), ("Roles", Role), ("Words of attach", Live)):
        yield f"\n## {title}"
        yield from table((title.split()[0].lower().rstrip("s"), "meaning"), ((f"`{o}`", MEANINGS[o]) for o in kind))
    yield "## Exit codes"
    yield from table(("exit code", "meaning"), EXIT_CODES)
    yield f"{WATCH_CODES}\n\n{ATTACH_CODES}"


def _python(words: Words) -> Iterator[str]:
    yield "# In tests and from Python\n\n## The pytest marker\n"
    yield prose(words.marker) + "\n"
    yield from code(
        ['@pytest.mark.mlxprobe(stall_s=10, max_growth="1MB/step", must_learn=True, allow=["MP306"])',
         "def test_training(model):", "    train(model, steps=50)"]
    )  # fmt: skip
    yield from table(
        ("argument", "what it does"), ((f"`{name}`", prose(told)) for name, told in words.arguments.items())
    )
    yield "`pytest scenarios/` has an item per variant of every scenario file.\n\n## mlxprobe.watch\n"
    yield from code(["mlxprobe.watch(", *(f"    {one}," for one in words.parameters), f") -> {words.returns}"])
    yield ""
    text, *sections = textwrap.dedent(words.function).strip().split("\n\n")
    yield prose(text)
    for section in sections:
        title, *lines = section.splitlines()
        yield f"\n**{title.rstrip(':')}**\n"
        yield from (_argument(line) for line in _joined(lines))


def _joined(lines: list[str]) -> list[str]:
    """Join a wrapped argument's lines."""
    found: list[str] = []
    for line in textwrap.dedent("\n".join(lines)).splitlines():
        if line.startswith(" ") and found:
            found[-1] += " " + line.strip()
        else:
            found.append(line)
    return found


def _argument(line: str) -> str:
    name, colon, told = line.partition(": ")
    return f"- `{name}`: {prose(told)}" if colon and " " not in name else f"- {prose(line)}"
