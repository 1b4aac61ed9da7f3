"""Train a tiny Llama, evaluating nothing before the end; print all its time as a step's: `never_evaluates.py STEPS`."""

import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "scenarios"))

import mlx.nn as nn
from _tiny_llama import batch, build, combined_loss

steps = int(sys.argv[1])
model, optimizer = build()
loss_and_grad = nn.value_and_grad(model, combined_loss)
data = [batch(step, size=4) for step in range(8)]
began, cpu_began = time.perf_counter(), time.process_time()
for step in range(steps):
    loss, grads = loss_and_grad(model, *data[step % 8])
    optimizer.update(model, grads)
loss.item()
print(f"cpu_ms {1e3 * (time.process_time() - cpu_began) / steps:.6f}")
step_ms = 1e3 * (time.perf_counter() - began) / steps
print(f"mean_ms {step_ms:.6f}\nmedian_ms {step_ms:.6f}")
