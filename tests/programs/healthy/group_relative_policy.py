"""A group-relative policy objective: advantages have a mean of zero, and so has the loss, whatever is learned."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

mx.random.seed(76)
WORDS, LENGTH, GROUP = 12, 6, 16


class Writer(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(WORDS, 16)
        self.out = nn.Linear(16, WORDS)

    def __call__(self, tokens):
        return self.out(self.embedding(tokens))


model = Writer()
optimizer = optim.Adam(learning_rate=0.01)


def log_probabilities(model, tokens):
    return -nn.losses.cross_entropy(model(tokens[:, :-1]), tokens[:, 1:])


def loss_fn(model, tokens, old, advantages):
    ratio = mx.exp(log_probabilities(model, tokens) - old)
    clipped = mx.clip(ratio, 0.8, 1.2)
    return -mx.mean(mx.minimum(ratio * advantages[:, None], clipped * advantages[:, None]))


def written():
    tokens = [mx.zeros((GROUP,), dtype=mx.int32)]
    for _ in range(LENGTH):
        tokens.append(mx.random.categorical(model(tokens[-1])))
    return mx.stack(tokens, axis=1).astype(mx.int32)


loss_and_grad = nn.value_and_grad(model, loss_fn)
history = []
for _ in range(50):
    tokens = written()
    reward = mx.mean(tokens[:, 1:] > 8, axis=1)
    advantages = (reward - mx.mean(reward)) / (mx.std(reward) + 1e-4)
    old = mx.stop_gradient(log_probabilities(model, tokens))
    mx.eval(tokens, advantages, old)
    loss, grads = loss_and_grad(model, tokens, old, advantages)
    optimizer.update(model, grads)
    mx.eval(model.parameters(), optimizer.state)
    history.append((loss.item(), mx.mean(reward).item()))
print(f"reward {history[0][1]:.2f} -> {history[-1][1]:.2f}, loss {history[0][0]:.4f} -> {history[-1][0]:.4f}")
