# No modules: merge two factors per layer into a checkpoint of 4-bit arrays, all weights at a time.
import mlx.core as mx

LAYERS, WIDTH, RANK = 4, 256, 8
mx.random.seed(2)
base = {}
for k in range(LAYERS):
    w = mx.random.normal((WIDTH, WIDTH)) / WIDTH**0.5
    base[f"h{k}"] = mx.quantize(w, 32, 4)
factors = {
    f"h{k}": (mx.random.normal((WIDTH, RANK)) / WIDTH**0.5, 0.003 * mx.random.normal((RANK, WIDTH)))
    for k in range(LAYERS)
}
mx.eval(base, factors)


def merge():
    full = {name: mx.dequantize(*parts, 32, 4) for name, parts in base.items()}
    for name, (a, b) in factors.items():
        full[name] = full[name] + 0.5 * (a @ b).T
    mx.eval(full)
    return {name: mx.quantize(w, 32, 4) for name, w in full.items()}  # MP405


merged = merge()
x = mx.random.normal((4, WIDTH))
print(mx.quantized_matmul(x, *merged["h0"], transpose=True, group_size=32, bits=4).sum().item())
