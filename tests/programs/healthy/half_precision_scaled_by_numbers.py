"""A half-precision transformer block whose residual scale is a Python number; the loss is float32."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

VOCABULARY, WIDTH = 23, 32


class Block(nn.Module):
    def __init__(self, depth):
        super().__init__()
        self.norm = nn.RMSNorm(WIDTH)
        self.up, self.down = nn.Linear(WIDTH, 64), nn.Linear(64, WIDTH)
        self.depth = depth

    def __call__(self, x):
        scale = 1.0 / self.depth
        return x + scale * self.down(nn.silu(self.up(self.norm(x))))


class TinyLM(nn.Module):
    def __init__(self, layers=3):
        super().__init__()
        self.embed = nn.Embedding(VOCABULARY, WIDTH)
        self.blocks = [Block(k + 1) for k in range(layers)]
        self.head = nn.Linear(WIDTH, VOCABULARY)

    def __call__(self, ids):
        x = self.embed(ids)
        for block in self.blocks:
            x = block(x)
        return self.head(x)


class Trainer:
    def __init__(self):
        self.model = TinyLM()
        self.model.set_dtype(mx.float16)
        self.optimizer = optim.SGD(learning_rate=0.2)
        self.step_fn = nn.value_and_grad(self.model, self.loss)

    @staticmethod
    def loss(model, ids):
        logits = model(ids[:, :-1]).astype(mx.float32)
        return nn.losses.cross_entropy(logits, ids[:, 1:], reduction="mean")

    def run(self, steps):
        for step in range(steps):
            start = mx.random.randint(0, VOCABULARY, (16, 1))
            loss, grads = self.step_fn(self.model, (start + 2 * mx.arange(12)) % VOCABULARY)
            self.optimizer.update(self.model, grads)
            mx.eval(self.model.parameters(), self.optimizer.state, loss)
            if step % 20 == 0:
                print(step, round(loss.item(), 3))


mx.random.seed(9)
Trainer().run(80)
