# A picture model with dropout weighs its channels by a softmax that runs over the pictures of the batch.
import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim


class Part(nn.Module):
    def __init__(self, given, made):
        super().__init__()
        self.convolution = nn.Conv2d(given, made, 3, padding=1)
        self.norm = nn.GroupNorm(2, made)

    def __call__(self, x):
        return nn.relu(self.norm(self.convolution(x)))


class Pictures(nn.Module):
    def __init__(self):
        super().__init__()
        self.parts = [Part(3, 8), Part(8, 8), Part(8, 8), Part(8, 16), Part(16, 16)]
        self.drop = nn.Dropout(0.2)
        self.head = nn.Linear(16, 4)

    def __call__(self, x):
        for part in self.parts:
            x = part(x)
        channels = mx.mean(x, axis=(1, 2))
        weights = mx.softmax(4 * channels, axis=0)  # MP331
        return self.head(self.drop(channels * weights))


def loss_fn(model, pictures, kinds):
    return nn.losses.cross_entropy(model(pictures), kinds, reduction="mean")


mx.random.seed(8)
model = Pictures()
optimizer = optim.AdamW(learning_rate=2e-3)
value_and_grad = nn.value_and_grad(model, loss_fn)
patterns = mx.random.normal((4, 14, 14, 3))
for _ in range(30):
    kinds = mx.random.randint(0, 4, (32,))
    pictures = patterns[kinds] + mx.random.normal((32, 14, 14, 3))
    loss, grads = value_and_grad(model, pictures, kinds)
    optimizer.update(model, grads)
    mx.eval(model.parameters(), optimizer.state)
print(loss.item())
