"""Fit a coefficient through thousands of explicit steps in checkpointed blocks: memory holds one block at a time."""

import mlx.core as mx
import mlx.optimizers as optim

BLOCKS, STEPS = 50, 60
start = mx.exp(-200 * (mx.linspace(0, 1, 128) - 0.5) ** 2)


def block(k, u):
    for _ in range(STEPS):
        u = u + k * (mx.roll(u, 1) - 2 * u + mx.roll(u, -1))
    return u


def solve(k, run):
    u = start
    for _ in range(BLOCKS):
        u = run(k, u)
    return u


target = solve(mx.array(0.2), block)
mx.eval(target)
parameters = {"k": mx.array(0.1)}
optimizer = optim.Adam(learning_rate=0.02)
checkpointed = mx.checkpoint(block)
loss_and_grad = mx.value_and_grad(lambda p: mx.mean((solve(p["k"], checkpointed) - target) ** 2))
for step in range(4):
    loss, grads = loss_and_grad(parameters)
    parameters = optimizer.apply_gradients(grads, parameters)
    mx.eval(parameters, optimizer.state, loss)
    print(f"step {step}: {loss.item():.6f}")
