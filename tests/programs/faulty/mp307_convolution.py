"""Predict the next token by convolutions that reach one token ahead, and evaluate each loss alone."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim


class WaveText(nn.Module):
    def __init__(self, vocab=25, d=20):
        super().__init__()
        self.table = nn.Embedding(vocab, d)
        self.convs = [nn.Conv1d(d, d, 3, padding=1) for _ in range(3)]
        self.out = nn.Linear(d, vocab)

    def __call__(self, *, tokens, segment=None):
        x = self.table(tokens)
        for c in self.convs:
            x = x + nn.relu(c(x))  # MP307
        return self.out(x), x


def nll(net, x, y):
    logits, _ = net(tokens=x)
    logp = logits - mx.logsumexp(logits, axis=-1, keepdims=True)
    return -mx.take_along_axis(logp, y[..., None], axis=-1).mean()


mx.random.seed(8)
net = WaveText()
opt = optim.SGD(learning_rate=0.3, momentum=0.9)
grad = nn.value_and_grad(net, nll)
for i in range(30):
    text = (mx.random.randint(0, 25, (8, 1)) + 7 * mx.arange(21)) % 25
    loss, g = grad(net, text[:, :-1], text[:, 1:])
    opt.update(net, g)
    print(i, loss.item())
