"""Tunes the adapters of a frozen classifier on clean and on adversarially shifted inputs."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim


class LoRALinear(nn.Module):
    def __init__(self, inputs, outputs, rank=2):
        super().__init__()
        self.linear = nn.Linear(inputs, outputs)
        self.lora_a = mx.random.normal((inputs, rank)) * 0.3
        self.lora_b = mx.zeros((rank, outputs))

    def __call__(self, x):
        return self.linear(x) + x @ self.lora_a @ self.lora_b


class AdversarialTrainer:
    def __init__(self, model, callback, strength=0.05):
        self.model, self.callback, self.strength = model, callback, strength
        self.optimizer = optim.Adam(learning_rate=1e-2)
        self.gradients = mx.value_and_grad(self.loss, argnums=[0, 1])
        self.prepare()

    def prepare(self):
        self.model.freeze()  # MP206
        self.model.unfreeze(keys=["lora_A", "lora_B"])

    def loss(self, weights, x, y):
        self.model.update(weights)
        return nn.losses.cross_entropy(self.model(x), y, reduction="mean")

    def backward(self, x, y):
        return self.gradients(self.model.trainable_parameters(), x, y)

    def step(self, x, y):
        _, (_, towards_error) = self.backward(x, y)
        loss, (grads, _) = self.backward(x + self.strength * mx.sign(towards_error), y)
        self.optimizer.update(self.model, grads)
        mx.eval(self.model.parameters(), self.optimizer.state)
        return loss

    def fit(self, batches):
        for x, y in batches:
            self.callback(self.step(x, y).item())


mx.random.seed(21)
model = nn.Sequential(LoRALinear(8, 16), nn.ReLU(), LoRALinear(16, 3))
x = mx.random.normal((40, 24, 8))
y = mx.argmax(x[..., :3], axis=-1)
mx.eval(model.parameters(), x, y)
losses = []
AdversarialTrainer(model, losses.append).fit(zip(x, y, strict=True))

# also: MP306
