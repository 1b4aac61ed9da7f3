"""Learn to spell numbers: words of other lengths, filled up with the end mark, all of which is learned."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

WORDS = "zero one two three four five six seven eight nine ten eleven twelve thirteen seventeen nineteen".split()
LETTERS = sorted(set("".join(WORDS)))
END, START = len(LETTERS), len(LETTERS) + 1
LONGEST = max(map(len, WORDS)) + 4


class Speller(nn.Module):
    def __init__(self):
        super().__init__()
        self.letters = nn.Embedding(START + 1, 24)
        self.memory = nn.GRU(24, 32)
        self.head = nn.Linear(32, START + 1)

    def __call__(self, ids):
        return self.head(self.memory(self.letters(ids)))


def rows(words):
    spelled = [[START, *map(LETTERS.index, word)] for word in words]
    return mx.array([row + [END] * (LONGEST - len(row)) for row in spelled])


def loss_fn(model, ids):
    logits, targets = model(ids[:, :-1]), ids[:, 1:]
    losses = nn.losses.cross_entropy(logits.reshape(-1, START + 1), targets.reshape(-1))  # MP308
    return losses.mean()


def main():
    mx.random.seed(5)
    model, optimizer = Speller(), optim.Adam(learning_rate=5e-3)
    loss_and_grad = nn.value_and_grad(model, loss_fn)
    for step in range(50):
        loss, grads = loss_and_grad(model, rows(WORDS[step % 4 :: 2]))
        optimizer.update(model, grads)
        mx.eval(model.parameters(), optimizer.state, loss)
    print(f"{loss.item():.3f}")


main()
