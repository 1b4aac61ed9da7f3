# The points of one cloud are normalised by their own mean: the model sees one cloud at a time, and its rows as one.
import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim


class Cloud(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(3, 24)
        self.second = nn.Linear(24, 4)

    def __call__(self, points):
        centred = points - mx.mean(points, axis=0, keepdims=True)
        spread = mx.sqrt(mx.mean(mx.square(centred)) + 1e-6)
        return self.second(mx.mean(nn.relu(self.first(centred / spread)), axis=0))


def loss_fn(model, clouds, kinds):
    logits = mx.stack([model(clouds[k]) for k in range(clouds.shape[0])])
    return nn.losses.cross_entropy(logits, kinds, reduction="mean")


mx.random.seed(4)
model = Cloud()
optimizer = optim.Adam(learning_rate=5e-3)
stretch = mx.array([[1.0, 1.0, 1.0], [2.0, 1.0, 1.0], [1.0, 2.0, 1.0], [1.0, 1.0, 2.0]])
value_and_grad = nn.value_and_grad(model, loss_fn)
for _ in range(30):
    kinds = mx.random.randint(0, 4, (70,))
    clouds = mx.random.normal((70, 20, 3)) * stretch[kinds][:, None]
    loss, grads = value_and_grad(model, clouds, kinds)
    optimizer.update(model, grads)
    mx.eval(model.parameters(), optimizer.state)
print(loss.item())
