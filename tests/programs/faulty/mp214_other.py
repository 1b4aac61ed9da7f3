# Weights are clipped inside the loss function.
import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

mx.random.seed(2)
critic = nn.Sequential(nn.Linear(6, 32), nn.ReLU(), nn.Linear(32, 1))
opt = optim.RMSprop(learning_rate=1e-3)


def critic_loss(critic, real, fake):
    for layer in (critic.layers[0], critic.layers[2]):
        layer.weight = mx.clip(layer.weight, -0.2, 0.2)  # MP214
    return critic(fake).mean() - critic(real).mean()


vg = nn.value_and_grad(critic, critic_loss)
for it in range(60):
    loss, grads = vg(critic, mx.random.normal((64, 6)) + 1, mx.random.normal((64, 6)))
    opt.update(critic, grads)
    mx.eval(critic.parameters(), opt.state)
    if it % 20 == 0:
        print(it, loss.item())
