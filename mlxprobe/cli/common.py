"""What all commands share: the group, the settings' flags, and how a report leaves."""

from __future__ import annotations

import gc
import importlib.util
import os
import re
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

import mlxprobe
from mlxprobe.cli import FILES
from mlxprobe.cli.streams import end, is_of_stdout
from mlxprobe.schema.errors import ProbeError, UsageError
from mlxprobe.schema.texts import briefly, plain, shortened
from mlxprobe.settings.table import SECONDS_WORDS, TABLE, Settings
from mlxprobe.settings.validators import seconds

if TYPE_CHECKING:
    from rich.console import RenderableType

JUDGED_NOT, INTERRUPTED = 2, 130

Command = TypeVar("Command", bound=Callable[..., Any])


class NamedPath(click.Path):
    """A path with a name: an empty text would be the current folder, which is never meant."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the path."""
        if value == "":
            self.fail("an empty text is no file's name", param, ctx)
        return super().convert(value, param, ctx)


class Commands(click.Group):
    """Turn what mlxprobe raises, and what click has to say of wrong usage, into one sentence and exit code 2."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Name every command."""
        return sorted({*FILES, *self.commands})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command; import it where that has not been done."""
        if cmd_name in FILES and cmd_name not in self.commands:
            module = importlib.import_module(f"mlxprobe.cli.{FILES[cmd_name]}")
            self.add_command(getattr(module, f"{cmd_name}_" if cmd_name == "list" else cmd_name))
            if not gc.isenabled():  # as `entry_point` has left it
                gc.freeze()
                gc.enable()
        return super().get_command(ctx, cmd_name)

    def every_command(self) -> dict[str, click.Command]:
        """Import all commands."""
        context = click.Context(self)
        return {name: one for name in self.list_commands(context) if (one := self.get_command(context, name))}

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find a command; of a wrong name click looks for the nearest among those that are imported."""
        if args[0] not in FILES:
            self.every_command()
        return super().resolve_command(ctx, args)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the options before the command's name."""
        parsed: list[str] = self._guarded(ctx, click.NoSuchOption, super().parse_args, ctx, args)
        return parsed

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        return self._guarded(ctx, click.ClickException, super().invoke, ctx)

    def _guarded(
        self, ctx: click.Context, misuse: type[click.ClickException], run: Callable[..., Any], *of: Any
    ) -> Any:
        """Call a function; end the command with one sentence and an exit code where it raises."""
        try:
            return run(*of)
        except misuse as error:
            tell(usage(error))
            ctx.exit(JUDGED_NOT)
        except ProbeError as error:
            tell(str(error))
            ctx.exit(error.exit_code)
        except OSError as error:
            tell(unwritten(error))
            ctx.exit(JUDGED_NOT)
        except (MemoryError, RuntimeError) as error:
            if isinstance(error, RuntimeError) and "start new thread" not in str(error):
                raise
            tell(f"this machine has no room left: {error or 'out of memory'}")
            ctx.exit(JUDGED_NOT)
        except KeyboardInterrupt:
            end()  # another signal ends the process at once
            tell("interrupted")
            ctx.exit(INTERRUPTED)


def unwritten(error: OSError) -> str:
    """Say why a stream or a file failed."""
    if is_of_stdout(error):
        return f"stdout cannot be written: {error.strerror}"
    return f"{error.filename}: {error.strerror}" if error.filename else str(error)


def usage(error: click.ClickException) -> str:
    """Put what click says of wrong usage into one sentence."""
    said = " ".join(error.format_message().split()).rstrip(".")
    said = re.sub(r"\. \(?Did (you mean [^?]*\?)\)?$", r"; did \1", said)
    place = error.ctx.command_path if isinstance(error, click.UsageError) and error.ctx else "mlxprobe"
    advice = "" if "did you mean" in said else f"; `{place} --help` shows what is right"
    return f"{said[:1].lower()}{said[1:]}{advice}"


@click.group("mlxprobe", cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(mlxprobe.__version__, prog_name="mlxprobe")
@click.pass_context
def main(context: click.Context) -> None:
    """Find out why MLX training hangs, grows or does not learn; gate MLX upgrades."""
    from mlxprobe.supervisor.scratch import sweep_once

    if os.environ.get("FORCE_COLOR"):
        context.color = True  # else click takes away, outside of a terminal, the colours that rich was forced to give
    sweep_once()


def with_settings(*names: str, **usual: str) -> Callable[[Command], Command]:
    """Give a command the flags of the settings it uses, in words of its own where its default (`usual`) is another."""

    def decorate(command: Command) -> Command:
        for setting in reversed([one for one in TABLE if one.name in (*names, *usual)]):
            told = setting.told(usual.get(setting.name, ""))
            many = isinstance(setting.default, tuple)
            command = click.option(setting.flag, setting.name, multiple=many, help=told)(command)
        return command

    return decorate


def with_scenarios(command: Command) -> Command:
    """Give a command `--scenario`."""
    return click.option(
        "--scenario",
        "patterns",
        multiple=True,
        metavar="NAME[/VARIANT]",
        help="Only this one, by name or glob; repeatable (default: all).",
    )(command)


def renderable(_: click.Context, __: click.Parameter, form: str) -> str:
    """Return a form; refuse HTML before anything runs where the libraries that render it are missing.

    Raises:
        UsageError: the extra `report` is not installed.
    """
    if form == "html" and not all(map(importlib.util.find_spec, ("jinja2", "vl_convert"))):
        raise UsageError("the HTML report needs the extra `report`: pip install 'mlxprobe[report]'")
    return form


def with_report(formats: Sequence[str]) -> Callable[[Command], Command]:
    """Give a command `--format` and `--output`."""

    def decorate(command: Command) -> Command:
        form = click.option(
            "--format",
            "form",
            type=click.Choice(formats),
            default="text",
            callback=renderable,
            help="Form of the report (default: text).",
        )
        output = click.option(
            "--output",
            type=click.Path(dir_okay=False, path_type=Path),
            help="Write the report to this file, and its text to the terminal.",
        )
        return form(output(command))

    return decorate


def deliver(
    form: str,
    output: Path | None,
    render: Callable[[str], str],
    *more: Callable[[], None],
    show: Callable[[], RenderableType] | None = None,
) -> None:
    """Write the report to `output` in its form and print its text; without a file, print the form.

    Args:
        form: the name of the format.
        output: the file, if any.
        render: returns the report in a format.
        more: further writes, done also where the report cannot be written.
        show: returns the text for this terminal; by default it is the format "text".
    """
    from mlxprobe.schema.record_io import write

    def written() -> None:
        if output is not None:
            write(output, render(form).encode())

    def printed() -> None:
        as_text = output is not None or form == "text"
        if as_text and show is not None:
            from mlxprobe.cli.display import shown

            click.echo(shown(show()), nl=False)
        else:
            click.echo(render("text" if as_text else form), nl=False)

    each(written, printed, *more)


def duration(flag: str, text: str | None) -> float | None:
    """Return the seconds that a flag's value means; None without one.

    Raises:
        UsageError: it is no time.
    """
    try:
        return None if text is None else seconds(text)
    except ValueError:
        raise UsageError(f"{flag}: {text!r} is not {SECONDS_WORDS}") from None


def each(*steps: Callable[[], None]) -> None:
    """Do all steps, also after one that fails; raise the first failure at the end."""
    failures: list[Exception] = []
    for step in steps:
        try:
            step()
        except OSError as error:
            failures.append(ProbeError(unwritten(error)))
        except ProbeError as error:
            failures.append(error)
    if failures:
        raise failures[0]


def check_output(output: Path | None, *read: Path | str | None) -> None:
    """Check that a file can be written, and that it is none of those that are read.

    Raises:
        UsageError: it is one of them.
        ProbeError: it cannot be written.
    """
    from mlxprobe.schema.record_io import check_writable

    for one in read if output is not None and output.is_file() else ():
        if one and os.path.isfile(one) and output is not None and os.path.samefile(output, one):
            raise UsageError(f"--output {output}: {one} is read, and would be overwritten")
    check_writable(output)


@contextmanager
def foreign(files: Sequence[Path]) -> Iterator[None]:
    """Turn what values that no run has lead to, in records from elsewhere, into one sentence.

    Raises:
        UsageError: the schema allows the values, and nothing can be made of them.
    """
    try:
        yield
    except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError) as error:
        trace = error.__traceback__
        while trace and trace.tb_next:
            trace = trace.tb_next
        code = trace and trace.tb_frame.f_code
        place = f"{os.path.basename(code.co_filename)}:{trace.tb_lineno}" if trace and code else "?"
        why = shortened(f"{type(error).__name__}: {error}")
        raise UsageError(f"{', '.join(map(str, files))}: values that no run has: {why} (at {place})") from None


def latest(settings: Settings, *, everything: bool) -> Path:
    """Return the folder of the last run of everything, or of the last one of a choice, which overwrites no other."""
    return Path(settings.reports) / ("latest" if everything else "latest-choice")


def tell(problem: str) -> None:
    """Write one line on stderr."""
    show(f"mlxprobe: {plain(briefly(problem))}\n")


def show(text: str) -> None:
    """Write on stderr; a terminal that was closed, a reader who has gone and a full disk lose it, and end nothing."""
    with suppress(OSError):
        click.echo(text, nl=False, err=True)


def in_background(load: Callable[[], None]) -> None:
    """Import modules on a thread; one that is missing is reported by the main thread, which needs it too."""

    def run() -> None:
        with suppress(ImportError):
            load()

    threading.Thread(target=run, daemon=True).start()


def leave(code: int) -> None:
    """End the command."""
    sys.exit(code)
