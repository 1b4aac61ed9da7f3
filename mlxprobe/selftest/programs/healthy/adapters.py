"""Fine-tune a frozen network by low-rank adapters, save them alone, and load them again."""

import tempfile
from pathlib import Path

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
from mlx.utils import tree_flatten

WIDTH, RANK, BATCH, STEPS = 32, 4, 32, 80


class LoRALinear(nn.Module):
    def __init__(self, linear):
        super().__init__()
        self.linear = linear
        self.lora_a = mx.random.normal((WIDTH, RANK)) / WIDTH**0.5
        self.lora_b = mx.zeros((RANK, WIDTH))

    def __call__(self, x):
        return self.linear(x) + 2.0 * (x @ self.lora_a) @ self.lora_b


class Network(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = [nn.Linear(WIDTH, WIDTH) for _ in range(3)]

    def __call__(self, x):
        for layer in self.layers[:-1]:
            x = nn.gelu(layer(x))
        return self.layers[-1](x)


def loss_fn(model, x, y):
    return nn.losses.mse_loss(model(x), y)


mx.random.seed(0)
model = Network()
teacher = Network()
teacher.update(model.parameters())
teacher.layers[-1].weight = teacher.layers[-1].weight + 0.3 * mx.random.normal((WIDTH, 1)) * mx.random.normal(
    (1, WIDTH)
)
model.freeze()
model.layers = [LoRALinear(layer) for layer in model.layers]
optimizer = optim.Adam(learning_rate=1e-2)
loss_and_grad = nn.value_and_grad(model, loss_fn)
mx.eval(model.parameters(), teacher.parameters())
for number in range(STEPS):
    x = mx.random.normal((BATCH, WIDTH))
    loss, grads = loss_and_grad(model, x, teacher(x))
    optimizer.update(model, grads)
    mx.eval(loss, model.parameters(), optimizer.state)
    if number == 0:
        first = loss.item()
    if number % 10 == 9:
        print(f"step {number + 1}: loss {loss.item():.4f}")
with tempfile.TemporaryDirectory() as folder:
    file = str(Path(folder) / "adapters.safetensors")
    mx.save_safetensors(file, dict(tree_flatten(model.trainable_parameters())))
    model.load_weights(file, strict=False)
    mx.eval(model.parameters())
if loss.item() > first / 2:
    raise SystemExit("it has not learned")
