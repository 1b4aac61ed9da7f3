"""`mlxprobe docs`: the catalogue as Markdown pages."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

import mlxprobe
from mlxprobe.cli.common import JUDGED_NOT, leave, main, tell, with_settings
from mlxprobe.settings.table import TABLE, resolve

if TYPE_CHECKING:
    from mlxprobe.reports.docs import Command, Words

BASELINES = Path(mlxprobe.__file__).parents[1] / "reports" / "baselines"


@click.command()
@click.argument("out", type=click.Path(file_okay=False, path_type=Path), metavar="OUT")
@click.option(
    "--record",
    "files",
    multiple=True,
    type=click.Path(path_type=Path),
    help="A record or matrix whose observations the pages show; repeatable (default: the baselines of a checkout).",
)
@with_settings("scenarios")
def docs(out: Path, files: tuple[Path, ...], **flags: Any) -> None:
    """Write Markdown pages of every scenario and finding, and the reference, into the folder OUT.

    The pages are for MkDocs; every folder's `nav.json` has their order.
    """
    import msgspec

    from mlxprobe.catalogue import discovery
    from mlxprobe.diagnosis import RULES
    from mlxprobe.reports.docs import Material, Source, pages
    from mlxprobe.schema.live import Attached
    from mlxprobe.schema.record import Record
    from mlxprobe.schema.record_io import write
    from mlxprobe.upgrade.history import read

    entries, broken = discovery.find(resolve(flags).scenarios)
    for one in broken:
        tell(one.problem)
    chosen = files or tuple(sorted(BASELINES.glob("*.json")))
    material = Material(
        sources=[Source(one, one.file.read_text(encoding="utf-8")) for one in entries],
        rules=[RULES[code] for code in sorted(RULES)],
        records=read(chosen).records if chosen else [],
        commands=commands(),
        settings=TABLE,
        schema=msgspec.json.schema(Record),
        live_schema=msgspec.json.schema(Attached),
        words=words(),
    )
    made = pages(material)
    for path, text in made.items():
        write(out / path, text.encode())
    tell(f"{out}: {len(made)} files")
    leave(JUDGED_NOT if broken else 0)


def commands() -> list[Command]:
    """Return every command as its own help tells of it."""
    from mlxprobe.reports.docs import Command

    found = []
    for name, command in main.every_command().items():
        with click.Context(command, info_name=f"mlxprobe {name}") as context:
            records = [one.get_help_record(context) for one in command.get_params(context)]
            found.append(
                Command(
                    name=name,
                    usage=" ".join([context.command_path, *command.collect_usage_pieces(context)]),
                    help=inspect.cleandoc(command.help or ""),
                    options=[record for record in records if record],
                )
            )
    return found


def words() -> Words:
    """Return what the pytest marker and `mlxprobe.watch` say of themselves."""
    from mlxprobe import api
    from mlxprobe.pytest_plugin import marker
    from mlxprobe.reports.docs import Words

    signature = inspect.signature(api.watch)
    return Words(
        marker="Run a test in a watched process of its own, and fail it with mlxprobe's diagnosis.",
        arguments=marker.ARGUMENTS,
        parameters=[str(one).replace("'", "") for one in signature.parameters.values()],
        returns=str(signature.return_annotation),
        function=inspect.getdoc(api.watch) or "",
    )
