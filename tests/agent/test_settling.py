"""What is imported before a program's first line: modules are counted, for time depends on who else computes."""

import subprocess
import sys
from pathlib import Path

import pytest
from watching import GUARD_S

from mlxprobe.agent import __file__ as package
from mlxprobe.agent.wire.constants import FOLDER_VARIABLE

BOOTSTRAP = Path(package).with_name("bootstrap")
TELL = "import sys; print(*sys.modules)"
HEAVY = {"ast", "ctypes", "dataclasses", "inspect", "statistics", "decimal", "random", "subprocess", "numpy"}


def told(program: str, *flags: str, **environ: str) -> set[str]:
    """Return the modules that a program names."""
    order = [sys.executable, *flags, "-c", program]
    ran = subprocess.run(order, capture_output=True, text=True, check=True, timeout=GUARD_S, env=environ)
    return set(ran.stdout.split())


@pytest.mark.slow
def test_a_python_that_never_imports_mlx_has_nothing_of_the_agent_in_it(tmp_path: Path) -> None:
    bare = told(TELL)
    carried = told(TELL, **{FOLDER_VARIABLE: str(tmp_path), "PYTHONPATH": str(BOOTSTRAP)})
    assert not [name for name in carried if name.startswith("mlxprobe")]
    assert len(carried - bare) <= 40 and not (carried - bare) & HEAVY


@pytest.mark.slow
def test_the_agent_is_light_until_a_step_is_looked_at() -> None:
    with_mlx = "import mlx.core, mlx.nn, mlx.optimizers\n"
    bare = told(with_mlx + TELL)
    ours = told(
        with_mlx + "import mlxprobe.agent.lifecycle.main, mlxprobe.agent.lifecycle.autoload\n" + TELL,
        PYTHONPATH=str(Path(package).parents[2]),
    )
    standard = {name for name in ours - bare if not name.startswith("mlxprobe")}
    assert not standard & HEAVY
    assert len(standard) <= 40, sorted(standard)
