# also: MP210
# Each phase makes its optimizer: the warm-up is longer than a phase, begins again in each, and is never left.
import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

PHASES, UPDATES = 4, 520

mx.random.seed(6)
model = nn.Linear(6, 3)
x = mx.random.normal((48, 6))
y = mx.argmax(x[:, :3] - x[:, 3:], axis=1)
loss_and_grad = nn.value_and_grad(model, lambda x, y: nn.losses.cross_entropy(model(x), y, reduction="mean"))

for _ in range(PHASES):
    optimizer = optim.Adam(optim.linear_schedule(0, 1e-2, PHASES * UPDATES))  # MP402
    for _ in range(UPDATES):
        loss, grads = loss_and_grad(x, y)
        optimizer.update(model, grads)
        mx.eval(loss, model.parameters(), optimizer.state)
    print(round(loss.item(), 4))
