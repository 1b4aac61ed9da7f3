"""MLX LM's trainer, called by somebody's own script, with our callback."""

import sys
from pathlib import Path

import pytest
from running import UNTRAINED, run
from tutorial import written

REAL = """
import mlx.core as mx, mlx.optimizers as optim
from mlx_lm.models.llama import Model, ModelArgs
from mlx_lm.tuner.trainer import TrainingArgs, train
from mlxprobe.integrations.mlx_lm import WatchCallback
mx.random.seed(0)
model = Model(ModelArgs(model_type="llama", hidden_size=32, num_hidden_layers=2, intermediate_size=64,
    num_attention_heads=2, rms_norm_eps=1e-5, vocab_size=64, num_key_value_heads=2))
data = [([(7 * k + j * j) % 61 for j in range(24)], 0) for k in range(16)]
arguments = TrainingArgs(batch_size=4, iters=40, val_batches=2, steps_per_report=10, steps_per_eval=20,
    max_seq_length=64, adapter_file="adapters.safetensors")
with WatchCallback() as callback:
    train(model, optim.Adam({rate}), data, data, args=arguments, training_callback=callback)
print()
print([one.code for one in callback.seen.findings], callback.seen.diagnosis.record.steps,
    [at for at, _ in callback.losses], len(callback.val_losses))
"""


@pytest.mark.slow
@pytest.mark.parametrize("rate", [1e-2, 0.0], ids=["healthy", "nothing learned"])
def test_a_training_of_mlx_lm_is_watched_by_its_callback(tmp_path: Path, rate: float) -> None:
    pytest.importorskip("mlx_lm")
    told = ran(tmp_path, REAL.replace("{rate}", str(rate)))
    codes = "[]" if rate else "['MP210', 'MP306']"
    assert told.endswith(f"{codes} 40 [10, 20, 30, 40] 3")


@pytest.mark.slow
def test_the_page_shows_how_it_is_written(tmp_path: Path) -> None:
    pytest.importorskip("mlx_lm")
    (shown,) = (one for one in written("notebook.md", "python") if "WatchCallback" in one)
    made, _, _ = REAL.replace("{rate}", "1e-2").partition("with WatchCallback()")
    (tmp_path / "train.py").write_text(f"{made}train_set = val_set = data\noptimizer = optim.Adam(1e-2)\n{shown}")
    ran_ = run([sys.executable, "train.py"], tmp_path)
    assert ran_.code == 0 and "100 steps" in ran_.err and "healthy: no finding" in ran_.err, ran_.err


FORM = """
from mlxprobe.integrations.mlx_lm import WatchCallback
class Other:
    def on_train_loss_report(self, info): print("other", sorted(info))
    def on_val_loss_report(self, info): print("other", info["val_loss"])
callback = WatchCallback(Other())
for step in range(40):
    loss, grads = gradients(model)
    optimizer.update(model, grads)
callback.on_train_loss_report({"iteration": 40, "train_loss": 0.5})
callback.on_val_loss_report({"iteration": 40, "val_loss": 0.25})
print([one.code for one in callback.end().findings], callback.losses, callback.val_losses)
print(callback.end() is callback.seen)
"""


@pytest.mark.slow
def test_the_callback_hands_on_what_it_is_told_and_needs_no_mlx_lm(tmp_path: Path) -> None:
    told = ran(tmp_path, UNTRAINED + FORM)
    assert told.splitlines() == [
        "other ['iteration', 'train_loss']", "other 0.25", "['MP101'] [(40, 0.5)] [(40, 0.25)]", "True",
    ]  # fmt: skip


def ran(folder: Path, text: str) -> str:
    (folder / "train.py").write_text(text)
    done = run([sys.executable, "train.py"], folder)
    assert done.code == 0, done.err
    return done.out.strip()
