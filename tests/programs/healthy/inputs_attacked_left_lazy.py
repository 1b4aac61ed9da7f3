"""Attack a classifier's inputs for twenty steps a batch, evaluated when the batch is done; nothing is trained."""
# no note: MP106

import mlx.core as mx
import mlx.nn as nn

mx.random.seed(0)
model = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 3))
mx.eval(model.parameters())
wrong = mx.grad(lambda inputs, labels: nn.losses.cross_entropy(model(inputs), labels, reduction="mean"))
moved = 0.0
for _ in range(30):
    clean = mx.random.normal((64, 8))
    labels = model(clean).argmax(axis=-1)
    inputs = clean + mx.random.uniform(-0.1, 0.1, clean.shape)
    for _ in range(20):
        inputs = inputs + 0.01 * mx.sign(wrong(inputs, labels))
        inputs = clean + mx.clip(inputs - clean, -0.1, 0.1)
    mx.eval(inputs)
    moved += float((model(inputs).argmax(axis=-1) != labels).mean())
print(moved / 30)
