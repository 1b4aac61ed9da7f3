"""What the package promises to have can be imported from it."""

import importlib

import pytest

import mlxprobe


@pytest.mark.parametrize("name", sorted({*mlxprobe.__all__, *mlxprobe._HOMES}))
def test_every_public_name_is_there(name: str) -> None:
    assert getattr(mlxprobe, name)


def test_every_command_has_its_file() -> None:
    from mlxprobe.cli import FILES

    for file in {*FILES.values()}:
        importlib.import_module(f"mlxprobe.cli.{file}")
