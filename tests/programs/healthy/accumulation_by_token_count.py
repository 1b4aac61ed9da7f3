"""Sum token losses over micro-batches of different lengths and divide the gradient by all their tokens."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
from mlx.utils import tree_map

VOCABULARY = 17
LENGTHS = (6, 9, 12)


class NextToken(nn.Module):
    def __init__(self, width=24):
        super().__init__()
        self.embed = nn.Embedding(VOCABULARY, width)
        self.mix = nn.Linear(width, width)
        self.head = nn.Linear(width, VOCABULARY)

    def __call__(self, tokens):
        x = self.embed(tokens)
        return self.head(nn.relu(self.mix(x)) + x)


def summed_loss(model, tokens, targets):
    return nn.losses.cross_entropy(model(tokens), targets, reduction="sum")


def micro_batch(length):
    start = mx.random.randint(0, VOCABULARY, (8, 1))
    sequence = (start + 5 * mx.arange(length + 1)) % VOCABULARY
    return sequence[:, :-1], sequence[:, 1:]


mx.random.seed(6)
model = NextToken()
optimizer = optim.SGD(learning_rate=1.5)
loss_and_grad = nn.value_and_grad(model, summed_loss)

for update in range(12):
    grads, loss_sum, tokens_seen = None, 0.0, 0
    for length in LENGTHS:
        inputs, targets = micro_batch(length)
        loss, new = loss_and_grad(model, inputs, targets)
        grads = new if grads is None else tree_map(mx.add, grads, new)
        mx.eval(loss, grads)
        loss_sum += loss.item()
        tokens_seen += targets.size
    grads = tree_map(lambda g, n=tokens_seen: g / n, grads)
    optimizer.update(model, grads)
    mx.eval(model.parameters(), optimizer.state)
    if update % 11 == 0:
        print(f"update {update}: {loss_sum / tokens_seen:.3f} a token")
