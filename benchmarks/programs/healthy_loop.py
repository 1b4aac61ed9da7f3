"""Train a tiny Llama as its scenarios do; print what a step takes: `healthy_loop.py STEPS BATCH [RANKS]`."""

import statistics
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "scenarios"))

import mlx.core as mx
import mlx.nn as nn
from _tiny_llama import batch, build, combined_loss

steps, size, ranks = int(sys.argv[1]), int(sys.argv[2]), int([*sys.argv, "1"][3])
group = mx.distributed.init(backend="ring", strict=True) if ranks > 1 else None
model, optimizer = build()
loss_and_grad = nn.value_and_grad(model, combined_loss)
data = [batch(step, size=size) for step in range(8)]
took_s = []
cpu_began = time.process_time()
for step in range(steps):
    began = time.perf_counter()
    loss, grads = loss_and_grad(model, *data[step % 8])
    if group is not None:
        grads = nn.average_gradients(grads, group)
    optimizer.update(model, grads)
    mx.eval(loss, model.parameters(), optimizer.state)
    loss.item()
    took_s.append(time.perf_counter() - began)
cpu_ms = 1e3 * (time.process_time() - cpu_began) / steps
if group is None or group.rank() == 0:
    print(f"cpu_ms {cpu_ms:.6f}")
    print(f"mean_ms {1e3 * statistics.mean(took_s[5:]):.6f}")
    print(f"median_ms {1e3 * statistics.median(took_s[5:]):.6f}")
