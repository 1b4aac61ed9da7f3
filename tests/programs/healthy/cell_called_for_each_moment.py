# A recurrent model is called for each of a hundred moments: what it is given comes of what it returned before.
import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim


class Walker(nn.Module):
    def __init__(self):
        super().__init__()
        self.into = nn.Linear(4 + 16, 16)
        self.out = nn.Linear(16, 4)

    def __call__(self, x, memory):
        memory = mx.tanh(self.into(mx.concatenate([x, memory], axis=-1)))
        return self.out(memory), memory


def loss_fn(model, sequence):
    memory, total = mx.zeros((1, 16)), mx.array(0.0)
    for k in range(len(sequence) - 1):
        guess, memory = model(sequence[k][None], memory)
        total = total + mx.mean(mx.square(guess[0] - sequence[k + 1]))
    return total / (len(sequence) - 1)


mx.random.seed(1)
model = Walker()
optimizer = optim.Adam(learning_rate=5e-3)
moments = mx.arange(400)[:, None] * mx.array([0.1, 0.2, 0.31, 0.05])
series = mx.sin(moments)
value_and_grad = nn.value_and_grad(model, loss_fn)
for step in range(30):
    start = (37 * step) % 290
    loss, grads = value_and_grad(model, series[start : start + 101])
    optimizer.update(model, grads)
    mx.eval(model.parameters(), optimizer.state)
print(loss.item())
