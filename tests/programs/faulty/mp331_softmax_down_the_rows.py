# The log-softmax of a loss runs along the batch: axis 0 in place of the last.
import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim


def loss_fn(model, x, y):
    log_probabilities = nn.log_softmax(model(x), axis=0)  # MP331
    return -mx.mean(mx.take_along_axis(log_probabilities, y[:, None], axis=1))


mx.random.seed(1)
model = nn.Sequential(nn.Linear(10, 32), nn.Tanh(), nn.Linear(32, 5))
optimizer = optim.Adam(learning_rate=3e-3)
value_and_grad = nn.value_and_grad(model, loss_fn)
data = mx.random.normal((960, 10))
labels = mx.argmax(data[:, :5] + 0.3 * data[:, 5:], axis=1)
for epoch in range(3):
    order = mx.random.permutation(960)
    for k in range(0, 960, 48):
        chosen = order[k : k + 48]
        loss, grads = value_and_grad(model, data[chosen], labels[chosen])
        optimizer.update(model, grads)
        mx.eval(model.parameters(), optimizer.state)
    print(loss.item())
