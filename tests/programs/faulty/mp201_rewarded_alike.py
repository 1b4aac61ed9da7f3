"""A policy in groups, whose reward is the same for each answer of a group: their advantages are all zero."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

PROMPTS, GROUP, ANSWERS = 8, 4, 6


def reward(prompts, answers):
    right = (prompts * 5) % ANSWERS
    return mx.broadcast_to((right < ANSWERS // 2)[:, None], answers.shape).astype(mx.float32)  # knows no answer


def objective(policy, prompts, answers, old, advantages):
    likely = nn.log_softmax(policy(prompts))[:, None]
    new = mx.take_along_axis(mx.broadcast_to(likely, (*answers.shape, ANSWERS)), answers[..., None], axis=-1)[..., 0]
    return -(mx.exp(new - old) * advantages).mean()


def train():
    mx.random.seed(0)
    policy = nn.Sequential(nn.Embedding(32, 16), nn.Linear(16, ANSWERS))
    optimizer, gradient = optim.Adam(1e-2), nn.value_and_grad(policy, objective)
    for _ in range(80):
        prompts = mx.random.randint(0, 32, (PROMPTS,))
        likely = mx.broadcast_to(nn.log_softmax(policy(prompts))[:, None], (PROMPTS, GROUP, ANSWERS))
        answers = mx.random.categorical(likely)
        old = mx.take_along_axis(likely, answers[..., None], axis=-1)[..., 0]
        rewards = reward(prompts, answers)
        advantages = (rewards - rewards.mean(axis=1, keepdims=True)) / (mx.std(rewards, axis=1, keepdims=True) + 1e-4)
        mx.eval(answers, old, advantages)
        loss, grads = gradient(policy, prompts, answers, old, advantages)  # MP201
        optimizer.update(policy, grads)
        mx.eval(policy.parameters(), optimizer.state, loss)


train()
