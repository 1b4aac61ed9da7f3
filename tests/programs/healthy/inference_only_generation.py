"""Sample tokens from a small recurrent language model, with no training at all."""

import mlx.core as mx
import mlx.nn as nn


class CharacterModel(nn.Module):
    def __init__(self, vocabulary=27, width=48):
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, width)
        self.cell = nn.GRU(width, width)
        self.out = nn.Linear(width, vocabulary)

    def __call__(self, tokens, hidden=None):
        states = self.cell(self.embedding(tokens), hidden)
        return self.out(states[:, -1]), states[:, -1]


def generate(model, prompt, count, temperature=0.8):
    logits, hidden = model(prompt)
    for _ in range(count):
        token = mx.random.categorical(logits / temperature)
        yield token.item()
        logits, hidden = model(token[:, None], hidden)


mx.random.seed(29)
model = CharacterModel()
model.eval()
mx.eval(model.parameters())
text = "".join(" abcdefghijklmnopqrstuvwxyz"[t] for t in generate(model, mx.array([[1, 2, 3]]), 60))
print(text)
