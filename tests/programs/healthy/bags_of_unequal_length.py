# Bags of points have no common length: the model is called for each, eighty times a step.
import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
import numpy as np


class Bag(nn.Module):
    def __init__(self):
        super().__init__()
        self.point = nn.Linear(3, 16)
        self.whole = nn.Linear(16, 1)

    def __call__(self, points):
        return self.whole(mx.max(nn.relu(self.point(points)), axis=0))[0]


def loss_fn(model, bags, labels):
    scores = mx.stack([model(bag) for bag in bags])
    return nn.losses.binary_cross_entropy(scores, labels, with_logits=True)


draw = np.random.default_rng(0)
mx.random.seed(0)
model = Bag()
optimizer = optim.Adam(learning_rate=1e-2)
value_and_grad = nn.value_and_grad(model, loss_fn)
for _ in range(30):
    bags = [mx.array(draw.normal(size=(int(draw.integers(3, 12)), 3)).astype(np.float32)) for _ in range(80)]
    labels = mx.array([float(bag[:, 0].max() > 1.2) for bag in bags])
    loss, grads = value_and_grad(model, bags, labels)
    optimizer.update(model, grads)
    mx.eval(model.parameters(), optimizer.state)
print(loss.item())
