"""Group-relative policy optimisation beside a reference: its loss starts at zero and says nothing."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

mx.random.seed(10)
V, L, G = 12, 6, 16


class LM(nn.Module):
    def __init__(self):
        super().__init__()
        self.e, self.h = nn.Embedding(V, 24), nn.Linear(24, V)

    def __call__(self, ids):
        return self.h(self.e(ids))


policy, ref = LM(), LM()
ref.update(policy.parameters())
ref.freeze()
opt = optim.Adam(5e-3)


def lp(m, ids):
    return mx.take_along_axis(nn.log_softmax(m(ids[:, :-1])), ids[:, 1:, None], axis=-1)[..., 0]


def grpo(policy, ids, old, refp, adv):
    new = lp(policy, ids)
    ratio = mx.exp(new - old)
    kl = mx.exp(refp - new) - (refp - new) - 1
    return -mx.mean(mx.minimum(ratio * adv[:, None], mx.clip(ratio, 0.8, 1.2) * adv[:, None]) - 0.02 * kl)


vg = nn.value_and_grad(policy, grpo)
for k in range(60):
    ids = mx.random.randint(0, V, (G, 1))
    for _ in range(L):
        ids = mx.concatenate([ids, mx.random.categorical(policy(ids[:, -1:])[:, 0])[:, None].astype(mx.int32)], axis=1)
    r = ((ids[:, 1:] - ids[:, :-1]) % V == 1).astype(mx.float32).mean(axis=1)
    adv = (r - r.mean()) / (mx.sqrt(mx.var(r)) + 1e-4)
    old, refp = mx.stop_gradient(lp(policy, ids)), lp(ref, ids)
    for _ in range(2):
        loss, g = vg(policy, ids, old, refp, adv)
        opt.update(policy, g)
        mx.eval(policy.parameters(), opt.state, loss)
    if k % 15 == 0:
        print(loss.item(), r.mean().item())
