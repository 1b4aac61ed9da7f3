"""Use much of MLX, again and again, while one function of the agent after the other raises: name those that we see."""

import gc
import subprocess
import sys
import tempfile
import threading
import types

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim


def broken(*a, **k):
    raise KeyError("ours")


mods = {
    m.__name__: m
    for m in gc.get_objects()
    if isinstance(m, types.ModuleType) and m.__name__.startswith("mlxprobe.agent")
}


class Net(nn.Module):
    def __init__(s):
        super().__init__()
        s.emb = nn.Embedding(16, 8)
        s.l = nn.Linear(8, 16)
        s.d = nn.Dropout(0.1)
        s.n = nn.LayerNorm(8)

    def __call__(s, x):
        return s.l(s.d(s.n(s.emb(x))))


def run():
    mx.random.seed(0)
    m = Net()
    o = optim.AdamW(optim.cosine_decay(1e-2, 100))

    def loss_fn(m, x, y):
        return nn.losses.cross_entropy(m(x), y).mean()

    vg = nn.value_and_grad(m, loss_fn)
    out = []
    for k in range(4):
        x = mx.random.randint(0, 16, (4, 6))
        y = mx.concatenate([x[:, 1:], x[:, :1]], 1)
        loss, g = vg(m, x, y)
        g, _ = optim.clip_grad_norm(g, 1.0)
        o.update(m, g)
        mx.eval(m.state, o.state, loss)
        out.append(loss.item())
    m.eval()
    out.append(float(loss_fn(m, x, y)))
    m.train()
    st = [m.state, o.state, mx.random.state]

    def step(x, y):
        loss, g = vg(m, x, y)
        o.update(m, g)
        return loss

    c = mx.compile(step, inputs=st, outputs=st)
    for k in range(3):
        loss = c(x, y)
        mx.eval(st, loss)
        out.append(loss.item())
    f = mx.value_and_grad(lambda w: (w**2).sum())
    out.append(f(mx.ones(3))[0].item())
    mx.grad(lambda w: mx.vmap(lambda q: q * 2)(w).sum())(mx.ones(3))
    with tempfile.TemporaryDirectory() as d:
        m.save_weights(d + "/w.safetensors")
        m.load_weights(d + "/w.safetensors")
        mx.savez(d + "/a.npz", a=mx.ones(2))
        mx.load(d + "/a.npz")
    m.freeze()
    m.unfreeze()
    m.update(m.parameters())
    o.state = o.state
    t = threading.Thread(target=lambda: 1)
    t.start()
    t.join()
    subprocess.run(["true"], check=False)
    mx.async_eval(mx.ones(2) + 1)
    str(mx.ones(2))
    mx.checkpoint(lambda q: q * 2)(mx.ones(2))
    mx.disable_compile()
    mx.enable_compile()
    return out


ref = run()
mode = sys.argv[1]
names = []
for mn, m in sorted(mods.items()):
    for n, v in list(vars(m).items()):
        if isinstance(v, types.FunctionType) and v.__module__ == mn and mode == "functions" and n not in ("broken",):
            names.append((m, n))
        if isinstance(v, type) and v.__module__ == mn and mode == "methods":
            for k, w in list(vars(v).items()):
                if isinstance(w, types.FunctionType) and not k.startswith("__"):
                    names.append((v, k))
bad = 0
skip = {"like", "carefully", "worded", "calling"}
for own, n in names:
    if n in skip:
        continue
    b = vars(own)[n]
    setattr(own, n, broken)
    try:
        run()
    except BaseException:
        bad += 1
        print("RAISED", f"{own.__name__.removeprefix('mlxprobe.agent.')}.{n}", flush=True)
    finally:
        setattr(own, n, b)
print("done", len(names), bad)
