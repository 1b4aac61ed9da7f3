# A ReLU after the last layer, whose results are taken for logits.
import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim


class Classifier(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = [nn.Linear(12, 32), nn.Linear(32, 32), nn.Linear(32, 7)]

    def __call__(self, x):
        for layer in self.layers:
            x = nn.relu(layer(x))
        return x


mx.random.seed(3)
model = Classifier()
optimizer = optim.Adam(learning_rate=2e-3)
points = mx.random.normal((1024, 12))
kinds = mx.argmax(points[:, :7], axis=1)


def loss_fn(model, x, y):
    return mx.mean(nn.losses.cross_entropy(model(x), y))  # MP302


value_and_grad = nn.value_and_grad(model, loss_fn)
for step in range(60):
    at = (64 * step) % 1024
    loss, grads = value_and_grad(model, points[at : at + 64], kinds[at : at + 64])
    optimizer.update(model, grads)
    mx.eval(model.parameters(), optimizer.state)
print(loss.item())
