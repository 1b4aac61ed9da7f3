# Character model; the "window" is the whole text so far.
import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

mx.random.seed(1)
text = "to be or not to be that is the question " * 60
chars = sorted(set(text))
ids = mx.array([chars.index(c) for c in text])
history = ids[:16][None]
model = nn.Sequential(nn.Embedding(len(chars), 24), nn.Linear(24, 48), nn.ReLU(), nn.Linear(48, len(chars)))
opt = optim.Adam(learning_rate=2e-3)


def loss_fn(model, x, y):
    return nn.losses.cross_entropy(model(x), y, reduction="mean")


vg = nn.value_and_grad(model, loss_fn)
for it in range(70):
    new = ids[16 * (it + 1) : 16 * (it + 2)][None]
    history = mx.concatenate([history, new], axis=0)
    loss, grads = vg(model, history[:, :-1], history[:, 1:])  # MP109
    opt.update(model, grads)
    mx.eval(model.parameters(), opt.state, loss)
    if it % 10 == 0:
        print(it, history.shape, round(loss.item(), 3))
