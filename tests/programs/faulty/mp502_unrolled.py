# also: MP505
# A compiled loop whose number of turns is another one at each call.
import mlx.core as mx


@mx.compile
def relax(x, turns):
    for _ in range(turns):
        x = x + mx.array(0.0)
    return x


for k in range(14):
    print(relax(mx.array(1.0), 3_001 + k).item())  # MP502
