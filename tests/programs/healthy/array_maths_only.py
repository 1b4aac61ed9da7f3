"""Solve a least-squares problem by power iteration and gradient-free linear algebra on plain arrays."""

import mlx.core as mx

mx.random.seed(30)
a = mx.random.normal((120, 30))
b = a @ mx.arange(30).astype(mx.float32) + 0.01 * mx.random.normal((120,))
gram, moment = a.T @ a, a.T @ b

vector = mx.ones((30,)) / 30**0.5
for _ in range(25):
    vector = gram @ vector
    vector = vector / mx.linalg.norm(vector)
    mx.eval(vector)
largest = (vector @ gram @ vector).item()

solution = mx.zeros((30,))
for _ in range(200):
    solution = solution + (moment - gram @ solution) / largest
mx.eval(solution)
print(f"largest eigenvalue {largest:.1f}, error {mx.max(mx.abs(solution - mx.arange(30))).item():.3f}")
