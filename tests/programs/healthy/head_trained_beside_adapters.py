"""Adapt the body of a frozen text classifier, and train its head, norms and embedding whole beside the adapters."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim


class LoRALinear(nn.Module):
    def __init__(self, linear, rank=4, scale=4.0):
        super().__init__()
        outputs, inputs = linear.weight.shape
        self.linear = linear
        self.scale = scale
        self.lora_a = mx.random.uniform(-(inputs**-0.5), inputs**-0.5, (inputs, rank))
        self.lora_b = mx.zeros((rank, outputs))

    def __call__(self, x):
        return self.linear(x) + self.scale * ((x @ self.lora_a) @ self.lora_b)


class Classifier(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(30, 32)
        self.norm = nn.LayerNorm(32)
        self.body = [nn.Linear(32, 32) for _ in range(2)]
        self.head = nn.Linear(32, 6)

    def __call__(self, tokens):
        x = self.norm(self.embedding(tokens))
        for layer in self.body:
            x = x + nn.silu(layer(x))
        return self.head(x.mean(axis=1))


def loss_fn(model, tokens, y):
    return nn.losses.cross_entropy(model(tokens), y, reduction="mean")


mx.random.seed(40)
model = Classifier()
model.freeze()
model.body = [LoRALinear(layer) for layer in model.body]
for whole in (model.head, model.norm, model.embedding):
    whole.unfreeze()
for layer in model.body:
    layer.linear.unfreeze(keys="bias")  # biases may be trained beside adapters too

optimizer = optim.AdamW(learning_rate=1e-2)
loss_and_grad = nn.value_and_grad(model, loss_fn)
losses = []
for _ in range(40):
    tokens = mx.random.randint(0, 30, (32, 8))
    loss, grads = loss_and_grad(model, tokens, tokens.max(axis=1) // 5)
    optimizer.update(model, grads)
    mx.eval(model.parameters(), optimizer.state)
    losses.append(loss.item())
print(f"loss {losses[0]:.3f} -> {losses[-1]:.3f}")
