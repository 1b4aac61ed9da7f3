# Plain arrays are moved by hand, and evaluated every hundred steps on purpose: what waits until then is small.
import mlx.core as mx

mx.random.seed(11)
rows = mx.random.normal((3000, 6))
wanted = mx.tanh(rows[:, :1] - 0.5 * rows[:, 1:2]) + 0.1 * rows[:, 2:3]
into, shift = 0.3 * mx.random.normal((6, 40)), mx.zeros((40,))
out = 0.1 * mx.random.normal((40, 1))
weights = [into, shift, out]


def error(x, y, into, shift, out):
    return mx.mean(mx.square(mx.tanh(x @ into + shift) @ out - y))


gradient = mx.value_and_grad(error, argnums=[2, 3, 4])
for step in range(900):
    chosen = mx.random.randint(0, 3000, (32,))
    loss, slopes = gradient(rows[chosen], wanted[chosen], *weights)
    weights = [one - 0.05 * slope for one, slope in zip(weights, slopes, strict=True)]
    if step % 100 == 0:
        mx.eval(loss, weights)
print(loss.item())
