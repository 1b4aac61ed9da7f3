"""Train a two-layer linear network with a trainer that compiles its step for speed."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim


class Projector(nn.Module):
    def __init__(self, width, rank):
        super().__init__()
        self.down = nn.Linear(width, rank, bias=False)
        self.up = nn.Linear(rank, width, bias=False)

    def __call__(self, x):
        return self.up(self.down(x))


class Printer:
    def __init__(self, every):
        self.every = every

    def after_step(self, step, loss):
        if step % self.every == 0:
            print(f"{step:3d} {loss:.3f}")


class Trainer:
    def __init__(self, model, data, callbacks):
        self.model, self.data, self.callbacks = model, data, callbacks
        self.optimizer = optim.SGD(learning_rate=0.05)
        self.optimizer.init(model.trainable_parameters())
        mx.eval(self.state)

    @property
    def state(self):
        return [self.model.state, self.optimizer.state]

    def loss(self, x, y):
        error = (self.model(x) - y).flatten()
        return mx.inner(error, error) / len(x)

    def update(self, x, y):
        loss, grads = nn.value_and_grad(self.model, self.loss)(x, y)
        self.optimizer.update(self.model, grads)
        return loss

    def step(self, x, y):
        state = self.state
        loss = mx.compile(self.update, inputs=state, outputs=state)(x, y)  # MP502
        mx.eval(loss, state)
        return loss.item()

    def fit(self, steps):
        for step in range(steps):
            loss = self.step(*self.data)
            for callback in self.callbacks:
                callback.after_step(step, loss)


if __name__ == "__main__":
    mx.random.seed(52)
    x = mx.random.normal((64, 6))
    y = x @ mx.random.normal((6, 2)) @ mx.random.normal((2, 6))
    mx.eval(x, y)
    Trainer(Projector(6, 2), (x, y), [Printer(every=10)]).fit(30)
