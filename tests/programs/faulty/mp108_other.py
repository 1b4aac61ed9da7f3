# Fit a diffusion coefficient through thousands of explicit steps; every step evaluates, to save memory.
import mlx.core as mx
import mlx.optimizers as optim

STEPS, POINTS = 5000, 256
x = mx.linspace(0, 1, POINTS)
start = mx.exp(-200 * (x - 0.5) ** 2)


def solve(k):
    u = start
    for _ in range(STEPS):
        u = u + k * (mx.roll(u, 1) - 2 * u + mx.roll(u, -1))  # MP108
    return u


def loss_fn(p):
    return mx.mean((solve(p["k"]) - target) ** 2)


target = solve(mx.array(0.2))
mx.eval(target)
params = {"k": mx.array(0.1)}
opt = optim.Adam(learning_rate=0.02)
grad = mx.value_and_grad(loss_fn)
for it in range(3):
    loss, grads = grad(params)
    params = opt.apply_gradients(grads, params)
    mx.eval(params, opt.state, loss)
    print(it, loss.item(), params["k"].item())
