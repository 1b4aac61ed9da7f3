"""The smallest model that learns tiny_llama's rule, and the same training in NumPy float64."""

from collections.abc import Callable

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
import numpy as np
from _tiny_llama import VOCABULARY, batch, next_token_loss

STEPS = 60
LEARNING_RATE = 0.03
BETA1, BETA2, EPSILON, DECAY = 0.9, 0.999, 1e-8, 0.01  # AdamW's defaults in MLX, which corrects no bias unless asked


def build() -> tuple[nn.Embedding, optim.AdamW, Callable]:
    """Make a bigram model (row i of its table: the logits of what follows token i), its optimizer and gradient."""
    mx.random.seed(0)
    model = nn.Embedding(VOCABULARY, VOCABULARY)
    return model, optim.AdamW(learning_rate=LEARNING_RATE), nn.value_and_grad(model, next_token_loss)


def train_in_numpy() -> np.ndarray:
    """Return the table after `STEPS` steps of AdamW (Loshchilov and Hutter 2019) in float64."""
    table = np.array(build()[0].weight, dtype=np.float64)
    m, v = np.zeros_like(table), np.zeros_like(table)
    for step in range(STEPS):
        tokens = np.array(batch(step)[0])
        inputs, targets = tokens[:, :-1].ravel(), tokens[:, 1:].ravel()
        error = np.exp(table[inputs])
        error /= error.sum(axis=1, keepdims=True)
        error[np.arange(targets.size), targets] -= 1
        grad = np.zeros_like(table)
        np.add.at(grad, inputs, error / targets.size)
        m = BETA1 * m + (1 - BETA1) * grad
        v = BETA2 * v + (1 - BETA2) * grad**2
        table = table * (1 - LEARNING_RATE * DECAY) - LEARNING_RATE * m / (np.sqrt(v) + EPSILON)
    return table
