"""Add up messages with `.at[...].add` and keep the array as it was."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim


class Round(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.own, self.near = nn.Linear(width, width), nn.Linear(width, width)

    def __call__(self, h, edges):
        source, target = edges
        heard = mx.zeros_like(h).at[target].add(0.1)  # how many speak
        heard.at[target].add(h[source])  # MP219
        return nn.relu(self.own(h) + self.near(heard))


class Graph(nn.Module):
    def __init__(self):
        super().__init__()
        self.rounds, self.out = [Round(8), Round(8)], nn.Linear(8, 2)

    def __call__(self, h, edges):
        for one in self.rounds:
            h = one(h, edges)
        return self.out(h)


mx.random.seed(2)
h, edges = mx.random.normal((40, 8)), mx.random.randint(0, 40, (2, 160))
y = (mx.zeros((40, 8)).at[edges[1]].add(h[edges[0]]).sum(axis=1) > 0).astype(mx.int32)
model, optimizer = Graph(), optim.Adam(learning_rate=1e-2)
gradient = nn.value_and_grad(model, lambda m: nn.losses.cross_entropy(m(h, edges), y, reduction="mean"))
for i in range(60):
    loss, grads = gradient(model)
    optimizer.update(model, grads)
    mx.eval(loss, model.parameters(), optimizer.state)
    if i % 20 == 0:
        print(i, loss.item())
