"""The changes that `isolate` tries: what each does, what it may take away, and the code that does it for good."""

from __future__ import annotations

from mlxprobe.schema.observation import Value


class Intervention(Value, frozen=True):
    """One change: `takes` are the codes and outcomes that it may take away. One that only diagnoses does not cure."""

    name: str
    summary: str
    code: str
    takes: tuple[str, ...]
    cures: bool = True


# The smallest change first.
INTERVENTIONS = (
    Intervention(
        name="eval-update",
        summary="evaluate parameters and optimizer state after every update",
        code="# after optimizer.update(model, grads)\nmx.eval(model.parameters(), optimizer.state)",
        takes=("MP101", "MP102", "MP103", "MP104", "MP105", "MP106", "hang", "memory", "slow"),
    ),
    Intervention(
        name="eval-loss",
        summary="evaluate the loss after every gradient call",
        code="# or loss.item()\nmx.eval(loss)",
        takes=("MP102", "MP103", "MP105", "hang", "memory", "slow"),
    ),
    Intervention(
        name="average",
        summary="divide accumulated gradients by their number",
        code="# before optimizer.update(model, grads)\ngrads = tree_map(lambda g: g / micro_batches, grads)",
        takes=("MP203", "MP208"),
    ),
    Intervention(
        name="rate-tenth",
        summary="update with a tenth of the learning rate",
        code="# where the optimizer, or its schedule, is made\nlearning_rate = learning_rate / 10",
        takes=("MP207", "MP208", "MP306", "nan", "no-learning"),
    ),
    Intervention(
        name="clip",
        summary="clip the gradients' norm at 1",
        code="# before optimizer.update(model, grads)\ngrads, norm = optim.clip_grad_norm(grads, max_norm=1.0)",
        takes=("MP207", "MP208", "MP306", "nan"),
    ),
    Intervention(
        name="train-mode",
        summary="call model.train() before every gradient call",
        code="# before each epoch's steps\nmodel.train()",
        takes=("MP215",),
    ),
    Intervention(
        name="reuse-gradients",
        summary="build nn.value_and_grad once",
        code="# before the loop\nloss_and_grad = nn.value_and_grad(model, loss_fn)",
        takes=("MP502", "slow"),
    ),
    Intervention(
        name="capture-random",
        summary="pass the random state to compiled functions",
        code="# with model.state and optimizer.state, in inputs and in outputs\nmx.random.state",
        takes=("MP503",),
    ),
    Intervention(
        name="freeze-base",
        summary="apply gradients to LoRA's factors alone",
        code="# before the adapters are added\nmodel.freeze()",
        takes=("MP202", "MP211"),
    ),
    Intervention(
        name="causal-mask",
        summary="add the causal mask in mx.fast.scaled_dot_product_attention and nn.MultiHeadAttention",
        code='# or nn.MultiHeadAttention.create_additive_causal_mask(length)\nmask = "causal"',
        takes=("MP307",),
    ),
    Intervention(
        name="float32",
        summary="compute in float32: model and inputs cast",
        code="# before the optimizer is made\nmodel.set_dtype(mx.float32)",
        takes=("MP112", "MP205", "MP207", "MP208", "MP306", "MP404", "nan", "no-learning"),
    ),
    Intervention(
        name="clear-cache",
        summary="clear MLX's cache after every update",
        code="# after the update\nmx.clear_cache()",
        takes=("MP103", "MP113", "memory", "slow"),
    ),
    Intervention(
        name="no-compile",
        summary="disable mx.compile",
        code="# then mend the compiled function\nmx.disable_compile()",
        takes=("MP101", "MP205", "MP306", "MP501", "MP502", "MP503", "MP504", "MP505", "hang", "slow", "error"),
    ),
    Intervention(
        name="spawn",
        summary="spawn workers instead of forking",
        code='# before the first worker\nmultiprocessing.set_start_method("spawn")',
        takes=("MP601", "MP603", "hang", "crash"),
    ),
    Intervention(
        name="cpu",
        summary="run on the CPU",
        code="mx.set_default_device(mx.cpu)",
        takes=("hang", "crash", "nan"),
        cures=False,
    ),
    Intervention(
        name="skip-update",
        summary="leave the update out",
        code="# nothing is learned: for diagnosis only",
        takes=("hang", "memory", "nan"),
        cures=False,
    ),
)
