"""Train a tiny causal transformer on arithmetic progressions with a trainer, a data module and a loss callback."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

VOCABULARY = 31


class Progressions:
    """Sequences a, a+d, a+2d, … modulo the vocabulary."""

    def __init__(self, length=10):
        self.length = length

    def sample(self, size):
        start = mx.random.randint(0, VOCABULARY, (size, 1))
        stride = mx.random.randint(1, 4, (size, 1))
        return (start + stride * mx.arange(self.length)) % VOCABULARY


class Decoder(nn.Module):
    def __init__(self, width=32):
        super().__init__()
        self.token = nn.Embedding(VOCABULARY, width)
        self.norm = nn.RMSNorm(width)
        self.attention = nn.MultiHeadAttention(width, 4)
        self.mlp = nn.Sequential(nn.Linear(width, 64), nn.GELU(), nn.Linear(64, width))
        self.head = nn.Linear(width, VOCABULARY, bias=False)

    def __call__(self, ids):
        x = self.token(ids)
        mask = nn.MultiHeadAttention.create_additive_causal_mask(ids.shape[1])
        y = self.norm(x)
        x = x + self.attention(y, y, y, mask=mask)
        return self.head(x + self.mlp(x))


class LossLog(list):
    def on_batch_end(self, trainer):
        self.append(trainer.last_loss)


class LanguageModelTrainer:
    def __init__(self, model, data, optimizer, callbacks=()):
        self.model, self.data, self.optimizer, self.callbacks = model, data, optimizer, callbacks
        self.value_and_grad = nn.value_and_grad(model, self._loss)
        self.last_loss = float("inf")

    def _prepare(self, ids):
        return {"input_ids": ids, "labels": ids}  # MP303

    def _loss(self, model, batch):
        logits = model(batch["input_ids"])
        return nn.losses.cross_entropy(logits, batch["labels"]).mean()

    def _optimise(self, batch):
        loss, grads = self.value_and_grad(self.model, batch)
        self.optimizer.update(self.model, grads)
        mx.eval(loss, self.model.parameters(), self.optimizer.state)
        self.last_loss = loss.item()

    def fit(self, steps):
        for _ in range(steps):
            self._optimise(self._prepare(self.data.sample(16)))
            for callback in self.callbacks:
                callback.on_batch_end(self)


def main():
    mx.random.seed(4)
    log = LossLog()
    LanguageModelTrainer(Decoder(), Progressions(), optim.Adam(learning_rate=5e-3), [log]).fit(30)
    print(f"loss {log[0]:.2f} -> {log[-1]:.2f}")


main()
