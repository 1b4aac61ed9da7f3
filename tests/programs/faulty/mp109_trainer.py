"""Policy gradients on a bandit; the buffer of an on-policy method is never emptied."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim


class RolloutBuffer:
    def __init__(self):
        self.states, self.actions, self.returns = [], [], []

    def add(self, states, actions, returns):
        self.states.append(states)  # MP109
        self.actions.append(actions)
        self.returns.append(returns)

    def batch(self):
        return mx.concatenate(self.states), mx.concatenate(self.actions), mx.concatenate(self.returns)


class Agent:
    def __init__(self):
        self.policy = nn.Sequential(nn.Linear(6, 16), nn.Tanh(), nn.Linear(16, 3))
        self.optimizer = optim.Adam(learning_rate=3e-3)
        self.buffer = RolloutBuffer()
        self.grad = nn.value_and_grad(self.policy, self.objective)

    def objective(self, policy, states, actions, returns):
        logits = policy(states)
        chosen = mx.take_along_axis(logits, actions[:, None], axis=1)[:, 0] - mx.logsumexp(logits, axis=1)
        return -mx.mean(chosen * returns)

    def rollout(self, size=8):
        states = mx.random.normal((size, 6))
        actions = mx.random.categorical(self.policy(states))
        returns = mx.where(actions == mx.argmax(states[:, :3], axis=1), 1.0, -0.5)
        mx.eval(states, actions, returns)
        self.buffer.add(states, actions, returns)

    def learn(self):
        loss, grads = self.grad(self.policy, *self.buffer.batch())
        self.optimizer.update(self.policy, grads)
        mx.eval(loss, self.policy.parameters(), self.optimizer.state)
        return loss


mx.random.seed(0)
agent = Agent()
for update in range(80):
    agent.rollout()
    loss = agent.learn()
    if update % 20 == 0:
        print(f"update {update}: objective {loss.item():.3f}")
