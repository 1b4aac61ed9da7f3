"""A trie with links to where a mismatch goes on, and nodes that know their parents: both lead back into themselves."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

mx.random.seed(3)


def matcher(words):
    """Build the links of Aho and Corasick."""
    trie = {}
    for word in words:
        node = trie
        for letter in word:
            node = node.setdefault(letter, {})
        node["match"] = word
    waiting = list(trie.values())
    for node in waiting:
        node["fail"] = trie
    for node in waiting:
        for letter, child in list(node.items()):
            if letter not in ("match", "fail"):
                child["fail"] = node["fail"].get(letter, trie)
                waiting.append(child)
    return trie


class Node:
    def __init__(self, parent=None):
        self.parent, self.children, self.values = parent, [], []
        if parent is not None:
            parent.children.append(self)


stops = [matcher([[1, 2, 1], [2, 1, 2], [1, 1]])]
root = Node()
leaves = [Node(Node(root)) for _ in range(4)]
ring = [mx.zeros((2,))]
ring.append(ring)

model = nn.Sequential(nn.Linear(4, 16), nn.Tanh(), nn.Linear(16, 1))
optimizer = optim.Adam(learning_rate=0.01)
loss_and_grad = nn.value_and_grad(model, lambda model, x, y: nn.losses.mse_loss(model(x), y))
for k in range(40):
    x = mx.random.normal((32, 4))
    loss, grads = loss_and_grad(model, x, x[:, :1] * x[:, 1:2])
    optimizer.update(model, grads)
    mx.eval(model.parameters(), optimizer.state)
    leaves[k % 4].values.append(loss.item())
print(sum(leaves[0].values) / 10)
