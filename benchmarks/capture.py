"""Write the README's pictures: what `watch` and `run --scenario step2-hang` show in a terminal of 100 columns."""

import io
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console, RenderableType
from rich.text import Text

from mlxprobe.reports import diagnosis, text
from mlxprobe.schema.record_io import load

DOCS = Path(__file__).parents[1] / "docs"
WIDTH = 100
TRAIN = """import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

mx.random.seed(0)
net = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 1))
opt = optim.Adam(learning_rate=1e-2)
w = mx.random.normal((8, 1))


def loss_fn(net, x, y):
    return nn.losses.mse_loss(net(x), y)


step = nn.value_and_grad(net, loss_fn)
for i in range(400):
    x = mx.random.normal((64, 8))
    loss, grads = step(net, x, x @ w)
    opt.update(net, grads)
print(loss.item())
"""


def main() -> None:
    """Run both for real and draw what they print."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        (place / "train.py").write_text(TRAIN)
        record = place / "record.json"
        call(place, "watch", "--format", "json", "--output", str(record), "train.py")
        here = Path.cwd()
        os.chdir(place)  # places are shown as seen from there
        draw("watch.svg", "$ mlxprobe watch train.py", diagnosis.renderable(load(record)))
        os.chdir(here)
        call(here, "run", "--scenario", "step2-hang", "--reports", folder)
        shown = text.renderable(load(place / "latest-choice" / "record.json"))
        draw("step2-hang.svg", "$ mlxprobe run --scenario step2-hang", shown)


def call(folder: Path, *words: str) -> None:
    """Run mlxprobe in a folder; what it finds is no failure here."""
    order = [sys.executable, "-m", "mlxprobe", *words]
    subprocess.run(order, check=False, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def draw(name: str, command: str, shown: RenderableType) -> None:
    """Write a picture of a command and of what it shows."""
    console = Console(record=True, width=WIDTH, file=io.StringIO(), force_terminal=True, highlight=False)
    console.print(Text(command, style="bold"))
    console.print(shown)
    (DOCS / name).write_text(console.export_svg(title="mlxprobe"), encoding="utf-8")


if __name__ == "__main__":
    main()
