"""Print what collectives cost the thread that asks for them: `collectives.py alone COUNT` or `step COUNT PRODUCTS`.

`alone`: a loop of reductions of one small array, each evaluated. `step`: a small model's training, whose forward pass
multiplies matrices so many times; where that is 0, how many take 6 ms is printed.
"""

import inspect
import statistics
import sys
import time

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

STEP_S, WIDTH, WARM, BLOCK = 6e-3, 64, 5, 200
WAY = (mx.distributed.all_sum, mx.eval)

kind, count, products = sys.argv[1], int(sys.argv[2]), int([*sys.argv, "1"][3])
group = mx.distributed.init(strict=products > 0)
wide = mx.random.normal((WIDTH, WIDTH), key=mx.random.key(0)) / WIDTH**0.5
mx.eval(wide)


def multiplied(times: int) -> mx.array:
    """Return what so many products of matrices come to."""
    work = mx.ones((WIDTH, WIDTH))
    for _ in range(times):
        work = mx.tanh(work @ wide)
    return work


def calibrated() -> int:
    """Return how many products take 6 ms, where they are as quick as they ever are here."""
    best_s = float("inf")
    for _ in range(20):
        began_s = time.perf_counter()
        mx.eval(multiplied(10))
        best_s = min(best_s, (time.perf_counter() - began_s) / 10)
    return max(1, round(STEP_S / best_s))


def alone() -> None:
    """Print what a reduction takes, as it is and as the agent sees it, in turn."""
    one = mx.ones((8,))
    for k in range(count + 1):
        for name, reduce, evaluate in (("bare", *map(inspect.unwrap, WAY)), ("seen", *WAY)):
            began_s = time.thread_time()
            for _ in range(BLOCK):
                evaluate(reduce(one, group=group))
            if k:
                told(**{name: (time.thread_time() - began_s) / BLOCK})


def step() -> None:
    """Print what a step takes."""
    mx.random.seed(0)
    model, optimizer = nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 8)), optim.AdamW(1e-3)
    x = mx.random.normal((WIDTH, 64), key=mx.random.key(group.rank()))
    mx.eval(model.parameters(), x)

    def loss_fn(model: nn.Module) -> mx.array:
        return ((model(x) - x[:, :8]) ** 2).mean() + 1e-9 * mx.stop_gradient(multiplied(products)).mean()

    gradients = nn.value_and_grad(model, loss_fn)
    took_s, cpu_s = [], []
    for _ in range(count + WARM):
        began_s, cpu_began_s = time.perf_counter(), time.thread_time()
        loss, grads = gradients(model)
        optimizer.update(model, nn.average_gradients(grads, group))
        mx.eval(loss, model.parameters(), optimizer.state)
        loss.item()
        cpu_s.append(time.thread_time() - cpu_began_s)
        took_s.append(time.perf_counter() - began_s)
    told(cpu_us=statistics.median(cpu_s[WARM:]), step_us=statistics.median(took_s[WARM:]))


def told(**figures_s: float) -> None:
    """Print figures, of one rank alone."""
    if group.rank() == 0:
        print(*(f"{name} {1e6 * value:.3f}" for name, value in figures_s.items()))


if not products:
    print(f"products {calibrated()}")
elif kind == "alone":
    alone()
else:
    step()
