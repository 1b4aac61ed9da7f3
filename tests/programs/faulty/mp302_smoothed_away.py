# The share that the right class is to keep is given as the share that is taken from it.
import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

KEEP = 0.9


def objective(net, words, kinds):
    logits = net(words).mean(axis=1)
    return nn.losses.cross_entropy(logits, kinds, label_smoothing=KEEP, reduction="mean")  # MP302


mx.random.seed(5)
net = nn.Sequential(nn.Embedding(40, 24), nn.Linear(24, 24), nn.GELU(), nn.Linear(24, 4))
optimizer = optim.AdamW(learning_rate=3e-3)
gradient = nn.value_and_grad(net, objective)
texts = mx.random.randint(0, 40, (512, 9))
topics = mx.argmax(mx.stack([(texts % 4 == k).sum(axis=1) for k in range(4)], axis=1), axis=1)
for step in range(48):
    rows = mx.random.randint(0, 512, (32,))
    loss, grads = gradient(net, texts[rows], topics[rows])
    optimizer.update(net, grads)
    mx.eval(net.parameters(), optimizer.state)
print(loss.item())
