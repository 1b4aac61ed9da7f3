"""Sum up sequences of unlike lengths by a GRU: padded to few lengths, masked, gradients accumulated."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
from mlx.utils import tree_map

WIDTH, BATCH, UPDATES, LENGTHS, ACCUMULATE = 24, 24, 60, (8, 16), 2


class Counter(nn.Module):
    def __init__(self):
        super().__init__()
        self.gru = nn.GRU(1, WIDTH)
        self.out = nn.Linear(WIDTH, 1)

    def __call__(self, x):
        return self.out(self.gru(x)).squeeze(-1)


def padded(number):
    longest = LENGTHS[number % len(LENGTHS)]
    lengths = mx.random.randint(longest // 2, longest + 1, (BATCH, 1))
    mask = mx.arange(longest) < lengths
    values = mx.where(mask, mx.random.uniform(-1, 1, (BATCH, longest)), 0)
    return values[..., None], mx.cumsum(values, axis=1), mask


def loss_fn(model, values, sums, mask):
    errors = mx.square(model(values) - sums)
    return mx.where(mask, errors, 0).sum() / mask.sum()


mx.random.seed(0)
model = Counter()
optimizer = optim.Adam(learning_rate=1e-2)
loss_and_grad = nn.value_and_grad(model, loss_fn)
for number in range(UPDATES):
    total, summed = 0.0, None
    for part in range(ACCUMULATE):
        loss, grads = loss_and_grad(model, *padded(ACCUMULATE * number + part))
        summed = grads if summed is None else tree_map(mx.add, summed, grads)
        mx.eval(loss, summed)
        total += loss.item() / ACCUMULATE
    optimizer.update(model, tree_map(lambda gradient: gradient / ACCUMULATE, summed))
    mx.eval(model.parameters(), optimizer.state)
    if number == 0:
        first = total
    if number % 10 == 9:
        print(f"update {number + 1}: loss {total:.4f}")
if total > first / 2:
    raise SystemExit("it has not learned")
