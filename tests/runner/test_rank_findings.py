"""Two real ranks of a ring: what goes wrong between them gets its code and its line, and what is right gets none."""

from pathlib import Path

import pytest
from test_ranks import launch, rows_of

pytestmark = pytest.mark.slow

LOOP = """
import atexit, os, signal, socket, sys
def linger():
    for number in range(3, 64):
        try: socket.socket(fileno=os.dup(number)).shutdown(socket.SHUT_RDWR)
        except OSError: pass
    signal.pause()
if sys.argv[1] in ("lingers", "raises", "exits") and os.environ["MLX_RANK"] == "1": atexit.register(linger)
import numpy as np
import mlx.core as mx, mlx.nn as nn, mlx.optimizers as optim
how = sys.argv[1]
group = mx.distributed.init()
rank = group.rank()
mx.random.seed(rank if how == "seeds" else 0)
model, optimizer = nn.Linear(8, 4), optim.SGD([0.05, 0.02][how in ("rates", "averaged rates") and rank])  # made
mx.eval(model.parameters())
mx.random.seed(0 if how == "one batch" else rank)
if how in ("file of one", "sent to all") and rank == 0:
    model.load_weights([(name, one + 1) for name, one in model.items()])  # loaded
if how == "sent to all":
    model.update({name: mx.distributed.all_sum(one if rank == 0 else 0 * one) for name, one in model.items()})
if how == "state of one":
    optimizer = optim.Adam(0.01, bias_correction=True)
    if rank == 0:
        other = optim.Adam(0.01, bias_correction=True)
        other.init(model)
        optimizer.state = {**other.state, "step": mx.array(900, mx.uint64)}  # restored
    optimizer.init(model)
if how == "state of all":
    optimizer.state = dict(optimizer.state)
gradients = nn.value_and_grad(model, lambda m, x: ((m(x) - x[:, :4]) ** 2).mean())
for step in range(12 - (how == "uneven" and rank)):
    loss, grads = gradients(model, mx.random.normal((32, 8)))
    if how == "skips" and rank and step == 6:
        continue
    if how in ("leaves", "lingers") and rank and step == 6:
        sys.exit("out of data")  # leaves
    if how == "raises" and rank and step == 6:
        raise SystemExit("out of data")
    if how == "exits" and rank and step == 6:
        exit("out of data")
    if how in ("dropped", "saved by one"):
        nn.average_gradients(grads)  # dropped
    elif how == "of one":
        grads = {name: mx.distributed.all_sum(one if rank == 0 else 0 * one) for name, one in grads.items()}  # of one
    elif how == "one of two":
        grads["weight"] = mx.distributed.all_sum(grads["weight"]) / 2
    elif how == "by hand":
        grads = {name: mx.distributed.all_sum(one / 2) for name, one in grads.items()}
    elif how == "by NumPy":
        grads = {name: mx.array(np.array(mx.distributed.all_sum(one))) / 2 for name, one in grads.items()}
    elif how not in ("apart", "compared", "merged", "now and then", "rates"):
        grads = nn.average_gradients(grads)  # averaged
    optimizer.update(model, grads)
    if how == "loss first":
        mx.eval(loss, optimizer.learning_rate)
    mx.eval(model.parameters(), optimizer.state, loss)
    if how in ("saves", "saved by one") and rank == 0:
        model.save_weights("weights.safetensors")
    if how == "now and then" and step % 6 == 5:
        model.update({name: mx.distributed.all_sum(one) / 2 for name, one in model.items()})
if how == "rates":
    print(mx.distributed.all_gather(loss[None]).tolist())
if how == "compared":
    print(mx.abs(mx.distributed.all_sum(model.weight) / 2 - model.weight).max().item())
if how == "merged":
    model.update({name: mx.distributed.all_sum(one) / 2 for name, one in model.items()})
if how == "late":
    for _ in range(1500): mx.eval(mx.distributed.all_sum(loss))
if how in ("validates", "late") and rank == 0:
    print(mx.distributed.all_sum(loss).item())  # alone
"""
AVERAGED, DROPPED, LOADED, RESTORED, ALONE, OF_ONE, LEAVES, MADE, GRADIENTS = (
    next(number for number, line in enumerate(LOOP.splitlines(), 1) if text in line)
    for text in (
        "# averaged",
        "# dropped",
        "# loaded",
        "# restored",
        "# alone",
        "# of one",
        "# leaves",
        "# made",
        "gradients(model, ",
    )
)
WRONG = [
    ("skips", "MP701", AVERAGED),
    ("validates", "MP701", ALONE),
    ("late", "MP701", ALONE),  # most of what they have built was never told
    ("uneven", "MP708", AVERAGED),
    ("leaves", "MP704", LEAVES),
    ("lingers", "MP704", LEAVES),  # the other fails, and the launcher ends this one, before anybody has its exit code
    ("raises", "MP704", 0),
    ("exits", "MP704", 0),
    ("seeds", "MP705", MADE),
    ("averaged rates", "MP705", GRADIENTS),
    ("apart", "MP706", GRADIENTS),
    ("compared", "MP706", GRADIENTS),
    ("dropped", "MP706", DROPPED),
    ("saved by one", "MP706", DROPPED),  # a file's weights may hold collectives: these hold none
    ("file of one", "MP705", LOADED),
    ("state of one", "MP705", RESTORED),
    ("one batch", "MP706", GRADIENTS),
    ("of one", "MP706", OF_ONE),
    ("one of two", "MP706", GRADIENTS),
]


@pytest.mark.parametrize(("how", "code", "line"), WRONG, ids=[row[0] for row in WRONG])
def test_a_fault_between_ranks_gets_its_code_at_its_line(how: str, code: str, line: int, tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(LOOP)
    _, rows = rows_of(tmp_path, *launch(how))
    for row in rows:
        found = [one for one in row["findings"] if one.get("together")]
        assert [(one["code"], one.get("line", 0)) for one in found] == [(code, line)], found


def test_two_runs_under_one_watch_are_told_apart(tmp_path: Path) -> None:
    """Their ranks have the same numbers; what is found in one is none of the other's."""
    (tmp_path / "train.py").write_text(LOOP)
    first, second = (" ".join(launch(how)) for how in ("averaged", "validates"))
    _, rows = rows_of(tmp_path, "sh", "-c", f"{first}; {second}", options=("--stall-limit", "3"))
    assert [(row["process"]["job"], row["process"]["rank"]) for row in rows] == [(1, 0), (1, 1), (2, 0), (2, 1)]
    found: dict[int, set[tuple[str, int]]] = {
        row["process"]["parent"]: set() for row in sorted(rows, key=lambda row: row["begun_s"])
    }
    for row in rows:
        found[row["process"]["parent"]] |= {
            (one["code"], one.get("line", 0)) for one in row["findings"] if one.get("together")
        }
    assert list(found.values()) == [set(), {("MP701", ALONE)}]


RIGHT = [
    "averaged",
    "by hand",
    "saves",
    "merged",
    "now and then",
    "by NumPy",
    "loss first",
    "sent to all",
    "state of all",
    "rates",
]


@pytest.mark.parametrize("how", RIGHT)
def test_ranks_that_are_right_show_nothing_together(how: str, tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(LOOP)
    _, rows = rows_of(tmp_path, *launch(how))
    assert len(rows) == 2
    assert [one for row in rows for one in row["findings"] if one.get("together")] == []


def test_what_an_evaluation_beside_it_did_not_hold_is_counted_by_the_next(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(LOOP)
    _, rows = rows_of(tmp_path, *launch("loss first"))
    assert [one.get("passed", False) for row in rows for one in row["collectives"]] == [False] * 24


EACH = """
import sys
import mlx.core as mx, mlx.nn as nn, mlx.optimizers as optim
from mlx.utils import tree_flatten, tree_unflatten
group = mx.distributed.init()
mx.random.seed(0)
model, optimizer = nn.Sequential(*(nn.Linear(8, 8, bias=False) for _ in range(4))), optim.SGD(0.05)
gradients = nn.value_and_grad(model, lambda x: mx.square(model(x) - x).mean())
for step in range(12):
    loss, grads = gradients(mx.random.normal((32, 8), key=mx.random.key(2 * step + group.rank())))
    norms = {name: mx.square(one).sum().item() for name, one in tree_flatten(grads)}
    means = []
    order = norms if sys.argv[1] == "norms" else {name: name for name in norms}
    for name, one in sorted(tree_flatten(grads), key=lambda pair: order[pair[0]]):
        mean = mx.distributed.all_sum(one) / 2  # reduced
        mx.eval(mean)
        means.append((name, mean))
    optimizer.update(model, tree_unflatten(sorted(means)))
    mx.eval(model.parameters(), optimizer.state)
"""


@pytest.mark.parametrize(("order", "codes"), [("norms", {"MP702", "MP705"}), ("names", set())])
def test_gradients_that_are_reduced_in_another_order_on_each_rank(order: str, codes: set[str], tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(EACH)
    _, rows = rows_of(tmp_path, *launch(order))
    line = next(number for number, text in enumerate(EACH.splitlines(), 1) if "# reduced" in text)
    for row in rows:
        found = [one for one in row["findings"] if one.get("together")]
        assert {one["code"] for one in found} == codes
        assert [one["line"] for one in found[:1]] == [line] * bool(codes)


SEARCH = """
import sys
import mlx.core as mx, mlx.nn as nn, mlx.optimizers as optim
how, rank = sys.argv[1], mx.distributed.init().rank()
mx.random.seed(0)
model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Dropout(0.4 * rank * (how == "dropout")), nn.Linear(16, 1))
weight = 0.1 + 0.3 * rank * (how == "term")
optimizer = optim.AdamW(0.01, betas=[0.9, 0.99 - 0.09 * rank * (how == "betas")])
mx.eval(model.parameters())
own = how in ("betas", "folds", "forgotten", "score", "scores")
data = mx.random.normal((12, 32, 8), key=mx.random.key(rank * own))
def loss_fn(m, x): return mx.square(m(x) - x.sum(1, keepdims=True)).mean() + weight * mx.square(m(x)).mean()
gradients = nn.value_and_grad(model, loss_fn)
for x in data:
    loss, grads = gradients(model, x)
    if how == "clipping":
        grads, _ = optim.clip_grad_norm(grads, 0.1 + rank)
    optimizer.update(model, grads)
    mx.eval(model.parameters(), optimizer.state, loss)
if how == "scores":
    print(mx.distributed.all_gather(loss[None]).tolist())
elif how == "score":
    print(mx.distributed.all_sum(loss).item())
elif how == "folds" or rank == 0:
    model.save_weights(f"fold-{rank}.safetensors")
"""
SEARCHES = ["betas", "dropout", "term", "clipping", "folds", "scores"]


@pytest.mark.parametrize(
    ("how", "codes"), [*((how, []) for how in SEARCHES), ("forgotten", ["MP706"]), ("score", ["MP706"])]
)
def test_ranks_that_search_are_no_parts_of_one_training(how: str, codes: list[str], tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(SEARCH)
    _, rows = rows_of(tmp_path, *launch(how))
    assert [[one["code"] for one in row["findings"] if one.get("together")] for row in rows] == [codes, codes]


PARTS = """
import sys
import mlx.core as mx, mlx.nn as nn, mlx.optimizers as optim
from mlx.nn.layers.distributed import shard_linear
how, group = sys.argv[1], mx.distributed.init()
rank, size = group.rank(), group.size()
mx.random.seed(0)
class Columns(nn.Module):
    def __init__(self):
        super().__init__()
        up, down = mx.random.normal((8, 32)), mx.random.normal((32, 4))
        mine = slice(rank * 32 // size, (rank + 1) * 32 // size)
        self.up, self.down = 0.2 * up[:, mine], 0.2 * down[mine]
    def __call__(self, x):
        return mx.distributed.all_sum(mx.tanh(x @ self.up) @ self.down, group=group)
model = Columns()
if how == "layers":
    up, down = nn.Linear(8, 32), nn.Linear(32, 4)
    up, down = shard_linear(up, "all-to-sharded", group=group), shard_linear(down, "sharded-to-all", group=group)
    model = nn.Sequential(up, nn.Tanh(), down)
mx.eval(model.parameters())
optimizer = optim.SGD(0.05)
gradients = nn.value_and_grad(model, lambda m, x: mx.square(m(x) - x[:, :4]).mean())
for step in range(40):
    loss, grads = gradients(model, mx.random.normal((128, 8), key=mx.random.key(step)))
    optimizer.update(model, grads)
    mx.eval(model.parameters(), optimizer.state, loss)
"""


@pytest.mark.parametrize("how", ["by hand", "layers"])
def test_ranks_that_hold_parts_of_one_model_need_not_start_alike(how: str, tmp_path: Path) -> None:
    """What is added up in a step is as large as what is trained, and no rank is given the others' gradients."""
    (tmp_path / "train.py").write_text(PARTS)
    _, rows = rows_of(tmp_path, *launch(how))
    assert [[one["code"] for one in row["findings"] if one.get("together")] for row in rows] == [[], []]
