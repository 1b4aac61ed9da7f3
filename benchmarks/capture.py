"""Write the README's picture: what `mlxprobe run --scenario step2-hang` shows in a terminal of 100 columns."""

import io
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.text import Text

from mlxprobe.reports import text
from mlxprobe.schema.record_io import load

PICTURE = Path(__file__).parents[1] / "docs" / "step2-hang.svg"


def main() -> None:
    """Run the scenario for real and draw what it printed."""
    with tempfile.TemporaryDirectory() as folder:
        order = [sys.executable, "-m", "mlxprobe", "run", "--scenario", "step2-hang", "--reports", folder]
        subprocess.run(order, check=True, stdout=subprocess.DEVNULL)
        record = load(Path(folder) / "latest-choice" / "record.json")
    console = Console(record=True, width=100, file=io.StringIO(), force_terminal=True, highlight=False)
    console.print(Text("$ mlxprobe run --scenario step2-hang", style="bold"))
    console.print(text.renderable(record))
    PICTURE.write_text(console.export_svg(title="mlxprobe"), encoding="utf-8")


if __name__ == "__main__":
    main()
