"""Fine-tune a small chat model on padded batches; the padding mask takes the causal mask's place."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

VOCABULARY, WIDTH, PAD = 41, 32, 0


class Layer(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm = nn.RMSNorm(WIDTH)
        self.qkv = nn.Linear(WIDTH, 3 * WIDTH, bias=False)
        self.out = nn.Linear(WIDTH, WIDTH, bias=False)
        self.mlp = nn.Sequential(nn.Linear(WIDTH, 64), nn.SiLU(), nn.Linear(64, WIDTH))

    def __call__(self, x, mask):
        batch, length, _ = x.shape
        q, k, v = (
            part.reshape(batch, length, 4, -1).transpose(0, 2, 1, 3) for part in mx.split(self.qkv(self.norm(x)), 3, -1)
        )
        y = mx.fast.scaled_dot_product_attention(q, k, v, scale=8**-0.5, mask=mask)
        x = x + self.out(y.transpose(0, 2, 1, 3).reshape(batch, length, WIDTH))
        return x + self.mlp(x)


class ChatModel(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(VOCABULARY, WIDTH)
        self.layers = [Layer(), Layer()]
        self.head = nn.Linear(WIDTH, VOCABULARY, bias=False)

    def __call__(self, ids, mask=None):
        x = self.embed(ids)
        if mask is None:
            mask = "causal"
        for layer in self.layers:
            x = layer(x, mask)
        return self.head(x)


class SFTTrainer:
    def __init__(self, model, optimizer):
        self.model, self.optimizer = model, optimizer
        self.step_fn = nn.value_and_grad(model, self.compute_loss)

    @staticmethod
    def compute_loss(model, batch):
        ids, attention_mask = batch["input_ids"], batch["attention_mask"]
        keep = attention_mask[:, None, None, :-1].astype(mx.bool_)  # MP307
        logits = model(ids[:, :-1], mask=keep)
        weights = attention_mask[:, 1:]
        losses = nn.losses.cross_entropy(logits, ids[:, 1:])
        return (losses * weights).sum() / weights.sum()

    def fit(self, batches):
        for number, batch in enumerate(batches):
            loss, grads = self.step_fn(self.model, batch)
            self.optimizer.update(self.model, grads)
            mx.eval(self.model.parameters(), self.optimizer.state)
            if number % 5 == 0:
                print(number, loss.item())


def padded_batches(count, size=8, length=14):
    for _ in range(count):
        start, stride = mx.random.randint(1, VOCABULARY, (size, 1)), mx.random.randint(1, 5, (size, 1))
        ids = (start + stride * mx.arange(length)) % (VOCABULARY - 1) + 1
        real = mx.arange(length) < mx.random.randint(13, length + 1, (size, 1))
        yield {"input_ids": mx.where(real, ids, PAD), "attention_mask": real.astype(mx.int32)}


if __name__ == "__main__":
    mx.random.seed(2)
    SFTTrainer(ChatModel(), optim.AdamW(learning_rate=2e-3)).fit(padded_batches(60))
