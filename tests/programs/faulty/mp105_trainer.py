"""Trains a small variational autoencoder while a callback follows the running mean of its gradients."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
from mlx.utils import tree_flatten, tree_map


class VAE(nn.Module):
    def __init__(self, inputs=12, latent=2):
        super().__init__()
        self.encoder = nn.Linear(inputs, 2 * latent)
        self.decoder = nn.Sequential(nn.Linear(latent, 16), nn.Tanh(), nn.Linear(16, inputs))

    def __call__(self, x):
        mean, log_variance = mx.split(self.encoder(x), 2, axis=-1)
        z = mean + mx.exp(0.5 * log_variance) * mx.random.normal(mean.shape)
        return self.decoder(z), mean, log_variance


class GradientMean:
    def on_train_start(self, model):
        self.mean = tree_map(mx.zeros_like, model.trainable_parameters())

    def on_gradients(self, grads):
        self.mean = tree_map(lambda mean, grad: 0.9 * mean + 0.1 * grad, self.mean, grads)  # MP105

    def on_train_end(self):
        for path, value in tree_flatten(self.mean):
            print(f"{path}: {mx.linalg.norm(value).item():.4f}")


class Trainer:
    def __init__(self, model, callback):
        self.model, self.callback = model, callback
        self.optimizer = optim.Adam(learning_rate=1e-2)

    def negative_elbo(self, x):
        output, mean, log_variance = self.model(x)
        divergence = -0.5 * mx.sum(1 + log_variance - mean**2 - mx.exp(log_variance), axis=-1)
        return mx.mean(mx.sum((output - x) ** 2, axis=-1) + 0.1 * divergence)

    def train(self, batches):
        loss_and_grad = nn.value_and_grad(self.model, self.negative_elbo)
        self.callback.on_train_start(self.model)
        for x in batches:
            loss, grads = loss_and_grad(x)
            self.callback.on_gradients(grads)
            self.optimizer.update(self.model, grads)
            mx.eval(loss, self.model.parameters(), self.optimizer.state)
        self.callback.on_train_end()


mx.random.seed(9)
data = mx.random.normal((40, 32, 2)) @ mx.random.normal((2, 12))
mx.eval(data)
Trainer(VAE(), GradientMean()).train(list(data))
