"""Settings: where a value comes from, and what is said of a bad one."""

from pathlib import Path

import pytest

from mlxprobe.schema.errors import UsageError
from mlxprobe.settings import table
from mlxprobe.settings.table import resolve
from mlxprobe.settings.validators import seconds, size


def project(folder: Path, body: str) -> Path:
    (folder / "pyproject.toml").write_text(f"[tool.mlxprobe]\n{body}\n")
    return folder


def test_flag_beats_environment_beats_project_beats_default(tmp_path: Path) -> None:
    folder = project(tmp_path, "timeout = 10")
    environment = {"MLXPROBE_TIMEOUT": "20s"}
    assert resolve({}, {}, tmp_path.parent).timeout_s is None
    assert resolve({}, {}, folder).timeout_s == 10
    assert resolve({}, environment, folder).timeout_s == 20
    assert resolve({"timeout_s": "30"}, environment, folder).timeout_s == 30


def test_folders_in_the_project_file_are_relative_to_it(tmp_path: Path) -> None:
    deep = tmp_path / "deep"
    deep.mkdir()
    assert resolve({}, {}, project(tmp_path, 'scenarios = ["mine"]')).scenarios == (str(tmp_path / "mine"),)
    assert resolve({}, {}, deep).scenarios == (str(tmp_path / "mine"),)


REQUIREMENTS = [
    ("the project's, relative to its file", {}, {}, ["mlx-lm>=0.20", "{folder}/mine"]),
    ("the environment's, separated by blanks", {}, {"MLXPROBE_REQUIREMENTS": "a>=1 'b @ https://x/b.whl'"},
     ["a>=1", "b @ https://x/b.whl"]),
    ("flags", {"requirements": ("a", "b<2,>1")}, {"MLXPROBE_REQUIREMENTS": "c"}, ["a", "b<2,>1"]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("flags", "environment", "right"), [case[1:] for case in REQUIREMENTS], ids=[case[0] for case in REQUIREMENTS]
)
def test_requirements(flags: dict[str, object], environment: dict[str, str], right: list[str], tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    folder = project(tmp_path, 'requirements = ["mlx-lm>=0.20", "./mine"]')
    assert list(resolve(flags, environment, folder).requirements) == [one.format(folder=tmp_path) for one in right]


BAD = [
    ("a flag out of range", {"jobs": "0"}, {}, "", "--jobs: '0' is not a whole number from 1 to 64"),
    ("a flag that is no size", {"memory": "lots"}, {}, "", "--memory-limit: 'lots' is not a size such as 4GB"),
    ("a share over the whole", {"memory": "140%"}, {}, "", "--memory-limit: '140%' is not a size"),
    (
        "a cluster without a port",
        {"on": "dask://here"},
        {},
        "",
        "--on: 'dask://here' is not dask:",
    ),
    ("a cluster of another kind", {"on": "ray://here:1"}, {}, "", "--on: 'ray://here:1' is not dask://HOST:PORT"),
    ("an unknown resource", {"on": "dask://here:1/TPU"}, {}, "", "with /CPU, /GPU, /METAL behind it"),
    ("an environment variable", {}, {"MLXPROBE_JOBS": "abc"}, "", "environment variable MLXPROBE_JOBS: 'abc'"),
    ("a mistyped variable", {}, {"MLXPROBE_JOBZ": "3"}, "", "environment variable MLXPROBE_JOBZ: no such setting"),
    ("a project's value", {}, {}, "stall-limit = -1", "pyproject.toml, [tool.mlxprobe] stall-limit: -1 is not a time"),
    ("a project's type", {}, {}, "scenarios = 3", "[tool.mlxprobe] scenarios: 3 is not a folder, or a list of folders"),
    ("a device that is none", {"device": "tpu"}, {}, "", "--device: 'tpu' is not cpu or gpu"),
    (
        "a requirement that is none",
        {},
        {},
        'requirements = ["a/b"]',
        "requirements: ['a/b'] is not a list",
    ),
    ("MLX as a requirement", {}, {}, 'requirements = ["mlx[cpu]>=0.30"]', "a list of requirements other than MLX"),
    ("a path that is not there", {}, {}, 'requirements = ["./gone"]', "requirements: "),
    ("an unknown setting", {}, {}, "jbos = 2", "has no setting 'jbos'; known are device, jobs"),
    ("a file that is not TOML", {}, {}, "= =", "not a TOML file"),
]


@pytest.mark.parametrize(("flags", "environment", "body", "words"), [c[1:] for c in BAD], ids=[c[0] for c in BAD])
def test_a_bad_value_names_where_it_came_from(
    flags: dict[str, str], environment: dict[str, str], body: str, words: str, tmp_path: Path
) -> None:
    with pytest.raises(UsageError) as caught:
        resolve(flags, environment, project(tmp_path, body))
    assert words in str(caught.value)


@pytest.mark.parametrize(("text", "value"), [("90", 90), ("1.5s", 1.5), ("250ms", 0.25), ("2min", 120), (3, 3)])
def test_seconds(text: object, value: float) -> None:
    assert seconds(text) == pytest.approx(value)


@pytest.mark.parametrize(("text", "value"), [("4GB", 4e9), ("512MiB", 2**29), ("40%", 0.4), ("1000", 1000)])
def test_size(text: str, value: float) -> None:
    assert size(text) == value


def test_a_relative_cache_folder_is_ignored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table, "MAC", False)
    monkeypatch.setenv("HOME", str(tmp_path))
    for given in ("cache", "./cache", ""):
        monkeypatch.setenv("XDG_CACHE_HOME", given)
        assert table.cache_folder() == tmp_path / ".cache" / "mlxprobe"
    monkeypatch.setenv("XDG_CACHE_HOME", "/there")
    assert table.cache_folder() == Path("/there/mlxprobe")
