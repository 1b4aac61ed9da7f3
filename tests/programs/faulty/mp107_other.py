# Regression; the test error is one sum over the whole test set.
import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

mx.random.seed(1)
w = mx.random.normal((16,))
model = nn.Sequential(nn.Linear(16, 128), nn.Tanh(), nn.Linear(128, 1))
opt = optim.AdamW(learning_rate=3e-3)


def loss_fn(x, y):
    return nn.losses.mse_loss(model(x)[:, 0], y)


def test_error(chunks=25):
    error = 0
    for _ in range(chunks):
        x = mx.random.normal((1500, 16))
        error = error + loss_fn(x, x @ w)  # MP107
    return float(error) / chunks


vg = nn.value_and_grad(model, loss_fn)
for it in range(1, 61):
    x = mx.random.normal((32, 16))
    loss, grads = vg(x, x @ w)
    opt.update(model, grads)
    mx.eval(model.parameters(), opt.state)
    if it % 20 == 0:
        print(it, loss.item(), test_error())
