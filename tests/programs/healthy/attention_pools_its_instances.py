# A bag's instances share one attention, along the first axis; what has a label is the bag. Its words are numbers too.
import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim


class Pooling(nn.Module):
    def __init__(self):
        super().__init__()
        self.words = nn.Embedding(50, 16)
        self.scores = nn.Linear(16, 2)
        self.out = nn.Linear(32, 3)

    def __call__(self, ids):
        h = self.words(ids)
        weights = mx.softmax(self.scores(h), axis=0)
        return self.out((weights.T @ h).reshape(1, -1))


def loss_fn(model, ids, topic):
    return nn.losses.cross_entropy(model(ids), topic, reduction="mean")


mx.random.seed(2)
model = Pooling()
optimizer = optim.Adam(learning_rate=5e-3)
value_and_grad = nn.value_and_grad(model, loss_fn)
for _ in range(80):
    topic = mx.random.randint(0, 3, (1,))
    ids = mx.concatenate([mx.random.randint(0, 50, (15,)), topic + 10 * mx.random.randint(0, 5, (5,))])
    loss, grads = value_and_grad(model, ids, topic)
    optimizer.update(model, grads)
    mx.eval(model.parameters(), optimizer.state)
print(loss.item())
