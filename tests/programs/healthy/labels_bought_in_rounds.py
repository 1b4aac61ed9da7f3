"""Buy labels round by round where the model is least sure, and train on all that is labelled so far each time."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

ROUNDS, BOUGHT, STEPS = 9, 16, 12

mx.random.seed(86)
pool = mx.random.normal((400, 5))
kinds = mx.argmax(pool @ mx.random.normal((5, 3)), axis=1)
model, optimizer = nn.Sequential(nn.Linear(5, 24), nn.ReLU(), nn.Linear(24, 3)), optim.Adam(learning_rate=5e-3)
loss_and_grad = nn.value_and_grad(model, lambda x, y: nn.losses.cross_entropy(model(x), y, reduction="mean"))
labelled = list(range(BOUGHT))
for number in range(ROUNDS):
    x, y = pool[mx.array(labelled)], kinds[mx.array(labelled)]
    for _ in range(STEPS):
        loss, grads = loss_and_grad(x, y)
        optimizer.update(model, grads)
        mx.eval(loss, model.parameters(), optimizer.state)
    unsure = mx.argsort(mx.max(mx.softmax(model(pool), axis=1), axis=1)).tolist()
    labelled += [one for one in unsure if one not in set(labelled)][:BOUGHT]
    print(number, len(labelled), round(loss.item(), 3))
