"""Fits a rotation and a scale to measured points, by their distances from a circle; one point is the origin."""

import mlx.core as mx
import mlx.optimizers as optim

EPSILON = 1e-6

mx.random.seed(31)
angle = mx.random.uniform(0, 6.283, (64,))
points = mx.stack([2 * mx.cos(angle), 2 * mx.sin(angle)], axis=1)
points[11] = 0.0  # a sensor that was switched off


def off_the_circle(parameters):
    moved = points @ parameters["map"]
    x, y = moved[:, 0], moved[:, 1]
    radius = mx.maximum(mx.sqrt(x**2 + y**2), EPSILON)  # MP207
    return mx.mean(mx.square(radius - 1.0))


parameters = {"map": mx.eye(2) * 0.7}
optimizer = optim.SGD(learning_rate=0.05)
optimizer.init(parameters)
for step in range(12):
    loss, gradient = mx.value_and_grad(off_the_circle)(parameters)
    parameters = optimizer.apply_gradients(gradient, parameters)
    mx.eval(parameters, loss)
    print(step, loss.item())
