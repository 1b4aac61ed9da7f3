# The loss goes over the rows of the batch, and calls the model for each.
import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim


class Encoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(20, 32)
        self.second = nn.Linear(32, 5)

    def __call__(self, x):
        return self.second(nn.relu(self.first(x)))


def loss_fn(model, rows, labels):
    losses = []
    for k in range(rows.shape[0]):
        logits = model(rows[k][None])  # MP111
        losses.append(nn.losses.cross_entropy(logits, labels[k][None])[0])
    return mx.mean(mx.stack(losses))


mx.random.seed(0)
model = Encoder()
optimizer = optim.Adam(learning_rate=3e-3)
features = mx.random.normal((512, 20))
classes = mx.argmax(features[:, :5], axis=1)
value_and_grad = nn.value_and_grad(model, loss_fn)
for step in range(30):
    chosen = mx.random.randint(0, 512, (128,))
    loss, grads = value_and_grad(model, features[chosen], classes[chosen])
    optimizer.update(model, grads)
    mx.eval(model.parameters(), optimizer.state)
print(loss.item())
