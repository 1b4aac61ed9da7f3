"""Stop training as soon as the loss is below a threshold, well before the step limit."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

LIMIT, GOOD_ENOUGH = 500, 0.05

mx.random.seed(26)
x = mx.random.normal((200, 3))
y = (mx.sum(x, axis=1) > 0).astype(mx.float32)
model = nn.Sequential(nn.Linear(3, 12), nn.ReLU(), nn.Linear(12, 1))
optimizer = optim.SGD(learning_rate=0.5, momentum=0.7)


def loss_fn(model, x, y):
    return nn.losses.binary_cross_entropy(model(x).squeeze(-1), y, with_logits=True)


loss_and_grad = nn.value_and_grad(model, loss_fn)
for step in range(LIMIT):
    loss, grads = loss_and_grad(model, x, y)
    if loss.item() < GOOD_ENOUGH:
        print(f"stopped at step {step} with {loss.item():.3f}")
        break
    optimizer.update(model, grads)
    mx.eval(model.parameters(), optimizer.state)
else:
    raise SystemExit("never good enough")
