"""A command that tells a GitHub job why it could not do its work, whatever keeps it from that."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import pairwise
from typing import Any

import click

from mlxprobe.cli.common import unwritten, usage
from mlxprobe.schema.errors import ProbeError, UsageError
from mlxprobe.schema.texts import briefly

GITHUB = "github"


class Annotated(click.Command):
    """A command whose `--format github` prints an annotation where it ends with one sentence on stderr."""

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        """Parse the options; of a wrong one nothing is known but the words."""
        with self._told(_asks(args)):
            return super().make_context(info_name, args, parent, **extra)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Refuse `--` without a command behind it, which click takes for no command at all.

        Raises:
            UsageError: there is none.
        """
        is_empty = args[-1:] == ["--"]
        rest = super().parse_args(ctx, args)
        if is_empty and not ctx.params.get("command"):
            raise UsageError("--: no command follows it, such as `python train.py`")
        return rest

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        with self._told(ctx.params.get("form") == GITHUB):
            return super().invoke(ctx)

    @contextmanager
    def _told(self, wanted: bool) -> Iterator[None]:
        try:
            yield
        except (click.ClickException, ProbeError, OSError) as error:
            if wanted:
                with suppress(OSError):  # stdout may be what failed
                    self._annotate(_sentence(error))
            raise

    def _annotate(self, why: str) -> None:
        from mlxprobe.reports.annotations import command

        click.echo(command("error", briefly(why), title=f"mlxprobe {self.name}"))


def _asks(words: Sequence[str]) -> bool:
    """Return whether a command line asks for annotations, read before it is parsed."""
    options = words[: words.index("--")] if "--" in words else words
    return f"--format={GITHUB}" in options or ("--format", GITHUB) in pairwise(options)


def _sentence(error: Exception) -> str:
    if isinstance(error, click.ClickException):
        return usage(error)
    return unwritten(error) if isinstance(error, OSError) else str(error)
