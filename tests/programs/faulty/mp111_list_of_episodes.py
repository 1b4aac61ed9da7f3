# A policy is asked state by state for what a single call tells; the blocks are its own.
import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
import numpy as np


class Layer(nn.Module):
    def __init__(self, given, made):
        super().__init__()
        self.product = nn.Linear(given, made)

    def __call__(self, x):
        return mx.tanh(self.product(x))


class Actor(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = [Layer(6, 24), Layer(24, 24), Layer(24, 24), Layer(24, 24)]
        self.choice = nn.Linear(24, 3)

    def __call__(self, state):
        for layer in self.layers:
            state = layer(state)
        return self.choice(state)


class Trainer:
    def __init__(self, actor):
        self.actor = actor
        self.optimizer = optim.RMSprop(learning_rate=2e-3)
        self.gradient = nn.value_and_grad(actor, self.loss)

    def log_probability(self, state, action):
        logits = self.actor(state)  # MP111
        return (logits - mx.logsumexp(logits))[action]

    def loss(self, actor, states, actions, worths):
        terms = [self.log_probability(s, a) * w for s, a, w in zip(states, actions, worths, strict=True)]
        return -sum(terms) / len(terms)

    def update(self, *episode):
        loss, grads = self.gradient(self.actor, *episode)
        self.optimizer.update(self.actor, grads)
        mx.eval(self.actor.parameters(), self.optimizer.state, loss)
        return loss.item()


mx.random.seed(2)
draw = np.random.default_rng(2)
trainer = Trainer(Actor())
for _ in range(25):
    states = mx.array(draw.normal(size=(80, 6)).astype(np.float32))
    actions = mx.random.categorical(trainer.actor(states))
    right = mx.argmax(states[:, :3], axis=1) == actions
    worths = right.astype(mx.float32) - 0.3
    last = trainer.update(states, actions, worths)
print(last)
