"""What random programs have shown, in text, Markdown and JSON. Pure."""

from __future__ import annotations

from collections.abc import Callable

from mlxprobe.fuzz.finding import Finding, FuzzReport
from mlxprobe.reports.markdown import table
from mlxprobe.reports.phrases import finished
from mlxprobe.schema.metrics import counted
from mlxprobe.schema.record_io import encode

TRAINED = ("nn.", "init.", "optimizers.")
HELD = {  # what was held against what
    "value": "result against the reference",
    "copy": "a view against its copy",
    "compiled": "compiled against eager",
    "vmap": "vmap against a loop",
    "float64": "result in float64 against the reference",
    "memory": "memory of repeated calls",
    "forward mode": "forward mode (jvp) against differences",
    "reverse mode": "reverse mode (vjp) against differences",
    "forward against reverse": "jvp against vjp",
    "jax": "against JAX in float64",
    "other side": "one side against the other, neither proved right",
}


def text(report: FuzzReport) -> str:
    """Return a finding a paragraph, then what was met."""
    lines = [line for one in report.findings if not one.accepted for line in _told(report, one)]
    return finished("\n".join([*lines, *summary(report)]) + "\n")


def _told(report: FuzzReport, one: Finding) -> list[str]:
    there = f"  on mlx {', '.join(one.releases)}" if len(report.environments) > 1 else ""
    holds = there + (f"  ({one.holds})" if one.holds else "")
    head = f"{_named(one)}: {one.oracle}, {one.kind}{holds}  ({counted(one.cases, 'case')}, --replay {one.case})"
    return [head, f"    {one.message}", ""]


def _share(report: FuzzReport, *, core: bool) -> str:
    met, unmet = (sum(name.startswith(TRAINED) != core for name in names) for names in (report.met, report.unmet))
    return f"{met} of {met + unmet} public functions ({met / max(met + unmet, 1):.0%})"


def _named(one: Finding) -> str:
    return f"{one.operation} (and {counted(len(one.others), 'other operation')})" if one.others else one.operation


def summary(report: FuzzReport) -> list[str]:
    """Count programs, findings and what was met, and name what could not be asked."""
    told = [one for one in report.findings if not one.accepted]
    names = " and ".join(f"mlx {name}" for name in report.names)
    found = (
        f"{counted(len(told), 'finding')}, {len(report.new)} of them new"
        if len(report.environments) > 1
        else counted(len(told), "finding")
    )
    lines = [
        f"{counted(report.programs, 'program')} with seed {report.seed} on {names}, "
        f"{report.environments[-1].device}: {found}, {report.wall_s:.0f} s.",
        f"Met by {counted(report.cases, 'case')}: {_share(report, core=True)} of mlx.core, "
        f"{_share(report, core=False)} of mlx.nn and mlx.optimizers.",
    ]
    if any("gpu" in one.device for one in report.environments):
        lines.append("Products of float32 were asked for in full precision: MLX_ENABLE_TF32=0.")
    if known := [one for one in report.findings if one.accepted]:
        lines.append("Known and accepted: " + "; ".join(f"{one.operation} ({one.accepted})" for one in known) + ".")
    if report.problem:
        lines.append(f"No verdict: {report.problem}.")
    if report.unrepeated:
        lines.append(f"Ended once and not again: {'; '.join(report.unrepeated)}.")
    return lines if report.complete else [*lines, "Interrupted: this is what was finished by then."]


def markdown(report: FuzzReport) -> str:
    """Return a report that can be filed as it is: every finding with its script."""
    lines = ["# mlxprobe fuzz", "", *summary(report), ""]
    for one in (one for one in report.findings if not one.accepted):
        holds = f"mlx {', '.join(one.releases)}" + (f" ({one.holds})" if one.holds else "")
        message = one.message[:1].upper() + one.message[1:].rstrip(".")
        lines += [f"## {_named(one)}: {HELD.get(one.oracle, one.oracle)}: {one.kind}", "", f"{message}.", ""]
        lines += [
            f"On {holds}, {report.environments[-1].device}; {counted(one.cases, 'case')}, first `--replay {one.case}`.",
            "",
        ]
        lines += ["```python", one.script.rstrip(), "```", ""]
    reasons: dict[str, list[str]] = {}
    for name, why in report.unmet.items():
        reasons.setdefault(why, []).append(f"`{name}`")
    not_met = table(("why", "functions"), ((why, ", ".join(names)) for why, names in reasons.items()))
    has_not = [(f"`{name}`", "; ".join(told)) for name, told in report.unsupported.items()]
    lines += ["<details><summary>What was not met</summary>", "", *not_met, "", "</details>", ""]
    lines += ["## What MLX says that it has not", "", *table(("operation", "it says"), has_not)]
    return "\n".join(lines) + "\n"


FUZZ_FORMATS: dict[str, Callable[[FuzzReport], str]] = {
    "text": text,
    "json": lambda report: encode(report).decode(),
    "markdown": markdown,
}
