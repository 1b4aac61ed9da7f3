"""Run a frozen convolutional encoder once over the data set, then train a regression head on its cached outputs."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

mx.random.seed(8)
time = mx.linspace(0, 1, 20)
frequency = mx.random.uniform(1, 4, (120, 1))
signals = mx.sin(6.28 * frequency * time)[:, :, None]

encoder = nn.Sequential(nn.Conv1d(1, 16, 5, padding=2), nn.Tanh(), nn.Conv1d(16, 32, 5, stride=2))
encoder.freeze()
encoder.eval()

cache = []
for start in range(0, 120, 24):
    features = mx.max(encoder(signals[start : start + 24]), axis=1)
    mx.eval(features)
    cache.append((features, frequency[start : start + 24]))

head = nn.Sequential(nn.Linear(32, 32), nn.Tanh(), nn.Linear(32, 1))
optimizer = optim.RMSprop(learning_rate=0.005)
loss_and_grad = nn.value_and_grad(head, lambda head, f, y: nn.losses.mse_loss(head(f), y))

for epoch in range(8):
    epoch_loss = 0.0
    for features, target in cache:
        loss, grads = loss_and_grad(head, features, target)
        optimizer.update(head, grads)
        mx.eval(head.parameters(), optimizer.state)
        epoch_loss += loss.item() / len(cache)
    if epoch in (0, 7):
        print(f"epoch {epoch}: {epoch_loss:.4f}")
