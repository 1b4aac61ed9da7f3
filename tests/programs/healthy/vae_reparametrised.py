"""Train a variational autoencoder on points near a curve, sampling its code by the reparametrisation trick."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim


class VAE(nn.Module):
    def __init__(self, inputs=6, hidden=32, code=2):
        super().__init__()
        self.encoder = nn.Linear(inputs, hidden)
        self.mean = nn.Linear(hidden, code)
        self.log_variance = nn.Linear(hidden, code)
        self.decoder = nn.Sequential(nn.Linear(code, hidden), nn.Tanh(), nn.Linear(hidden, inputs))

    def __call__(self, x):
        h = mx.tanh(self.encoder(x))
        mean, log_variance = self.mean(h), self.log_variance(h)
        noise = mx.random.normal(mean.shape)
        return self.decoder(mean + mx.exp(0.5 * log_variance) * noise), mean, log_variance


def negative_elbo(model, x):
    decoded, mean, log_variance = model(x)
    error = mx.sum((decoded - x) ** 2, axis=-1) / (2 * 0.3**2)
    divergence = 0.5 * mx.sum(mx.exp(log_variance) + mean**2 - 1 - log_variance, axis=-1)
    return mx.mean(error + divergence)


mx.random.seed(53)
phase = mx.random.uniform(0, 3, (256, 1))
data = mx.concatenate([mx.sin(k * phase) for k in (1, 2, 3)] + [mx.cos(k * phase) for k in (1, 2, 3)], axis=1)
model = VAE()
optimizer = optim.Adam(learning_rate=0.01)
step_fn = nn.value_and_grad(model, negative_elbo)
losses = []
for _ in range(40):
    loss, grads = step_fn(model, data[mx.random.randint(0, 256, (128,))])
    optimizer.update(model, grads)
    mx.eval(model.parameters(), optimizer.state, loss)
    losses.append(loss.item())
print(f"loss {losses[0]:.2f} -> {losses[-1]:.2f}")
