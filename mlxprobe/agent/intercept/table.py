"""Every function of MLX that is wrapped for good, once. What is wrapped for one step is lent: see `wrapping.loans`.

A name is the module's, then the way from there. The first parameters stand beside it, for functions without a
signature: where MLX has one, that counts. `*` stands for all classes of an optimizer, or for all functions of a module.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

_TABLE = """
mlx.core eval
mlx.core async_eval
mlx.core save: file
mlx.core savez: file
mlx.core savez_compressed: file
mlx.core save_safetensors: file
mlx.core save_gguf: file
mlx.core load: file
mlx.core compile: fun inputs outputs
mlx.core disable_compile
mlx.core enable_compile
mlx.core checkpoint: fun
mlx.core get_peak_memory
mlx.core reset_peak_memory
mlx.core grad: fun argnums argnames
mlx.core value_and_grad: fun argnums argnames
mlx.core vmap: fun
mlx.core export_function: file_or_callback fun
mlx.core exporter: file fun
mlx.core custom_function: f
mlx.core quantize: w
mlx.core dequantize: w
mlx.core log: a
mlx.core sign: a
mlx.core softmax: a axis
mlx.core logsumexp: a axis
mlx.core sigmoid: a
mlx.core exp: a
mlx.core mean: a axis
mlx.core max: a axis
mlx.core reshape: a
mlx.core take_along_axis: a indices axis
mlx.core stop_gradient: a
mlx.core argmin: a
mlx.core argmax: a
mlx.core argsort: a
mlx.core argpartition: a
mlx.core round: a
mlx.core floor: a
mlx.core ceil: a
mlx.core array.item: self
mlx.core array.tolist: self
mlx.core array.__float__: self
mlx.core array.__int__: self
mlx.core array.__bool__: self
mlx.core array.__array__: self
mlx.core array.__repr__: self
mlx.core array.__str__: self
mlx.core array.__format__: self
mlx.core array.mean: self axis
mlx.core array.max: self axis
mlx.core array.reshape: self
mlx.core fast.cross_entropy: logits targets
mlx.core fast.rope: a
mlx.core fast.scaled_dot_product_attention: q k v
mlx.core random.seed: seed
mlx.core random.normal
mlx.core random.uniform
mlx.core random.bernoulli
mlx.core random.randint
mlx.core random.categorical: logits axis
mlx.core random.gumbel
mlx.core random.truncated_normal
mlx.core random.permutation
mlx.core random.laplace
mlx.core random.multivariate_normal
mlx.core distributed.init
mlx.core distributed.all_sum: x group
mlx.core distributed.all_gather: x group
mlx.core distributed.all_max: x group
mlx.core distributed.all_min: x group
mlx.core distributed.sum_scatter: x group
mlx.core distributed.send: x dst group
mlx.core distributed.recv: shape dtype src group
mlx.core distributed.recv_like: x src group
mlx.core distributed.Group.split: self color
mlx.nn.utils value_and_grad: model fn
mlx.nn.layers.activations relu: x
mlx.nn.layers.activations ReLU.__call__: self x
mlx.nn.layers.base Module.__init__: self
mlx.nn.layers.base Module.update: self parameters strict
mlx.nn.layers.base Module.load_weights: self file_or_weights strict
mlx.nn.layers.base Module.train: self mode
mlx.nn.layers.base Module.freeze: self
mlx.nn.layers.base Module.unfreeze: self
mlx.nn.layers.convolution Conv1d.__call__: self x
mlx.nn.layers.embedding Embedding.__call__: self x
mlx.nn.layers.quantized QuantizedEmbedding.__call__: self x
mlx.nn.layers.normalization BatchNorm.__init__: self
mlx.nn.layers.normalization BatchNorm.__call__: self x
mlx.nn.layers.recurrent RNN.__call__: self x
mlx.nn.layers.recurrent GRU.__call__: self x
mlx.nn.layers.recurrent LSTM.__call__: self x
mlx.nn.layers.transformer MultiHeadAttention.create_additive_causal_mask
mlx.nn.losses _reduce: loss reduction
mlx.nn.losses *
mlx.nn.losses cross_entropy: logits targets weights axis label_smoothing reduction
mlx.nn.losses binary_cross_entropy: inputs targets weights with_logits reduction
mlx.nn.losses nll_loss: inputs targets axis reduction
mlx.nn.losses kl_div_loss: inputs targets axis reduction
mlx.nn.losses gaussian_nll_loss: inputs targets vars full eps reduction
mlx.nn.losses hinge_loss: inputs targets reduction
mlx.nn.losses margin_ranking_loss: inputs1 inputs2 targets margin reduction
mlx.nn.losses cosine_similarity_loss: x1 x2 axis eps reduction
mlx.nn.init constant
mlx.nn.init normal
mlx.nn.init uniform
mlx.nn.init identity
mlx.nn.init sparse
mlx.nn.init orthogonal
mlx.nn.init glorot_normal
mlx.nn.init glorot_uniform
mlx.nn.init he_normal
mlx.nn.init he_uniform
mlx.optimizers.optimizers clip_grad_norm: grads max_norm
mlx.optimizers.optimizers Optimizer.__init__: self
mlx.optimizers.optimizers Optimizer.learning_rate
mlx.optimizers.optimizers Optimizer.state
mlx.optimizers.optimizers Adam.__init__: self
mlx.optimizers.optimizers *.update: self model gradients
mlx.optimizers.optimizers *.apply_gradients: self gradients parameters
mlx.optimizers.schedulers linear_schedule: init end steps
mlx.optimizers.schedulers cosine_decay: init decay_steps end
mlx.optimizers.schedulers exponential_decay: init decay_rate
mlx.optimizers.schedulers step_decay: init decay_rate step_size
mlx.optimizers.schedulers join_schedules: schedules boundaries
"""

FUNCTIONS: dict[str, tuple[str, ...]] = {}  # by name: the first parameters
for _line in _TABLE.strip().splitlines():
    _name, _, _parameters = _line.partition(": ")
    FUNCTIONS[_name.replace(" ", ".", 1)] = tuple(_parameters.split())
MODULES = dict.fromkeys(_line.split(" ")[0] for _line in _TABLE.strip().splitlines())  # in the order of their wrapping


def places(function: str, name: str, module: Any) -> Iterator[tuple[Any, str]]:
    """List where a function is, in a module that has been imported: its holders, and its name there.

    Nothing where it is another module's, or where this release does not have it. `mlx.nn.losses.*` are the losses that
    MLX offers; `mlx.optimizers.optimizers.*.update` is each class's own.
    """
    if not function.startswith(f"{name}."):
        return
    *way, attribute = function[len(name) + 1 :].split(".")
    if way == ["*"]:
        base = module.Optimizer
        kinds = [one for one in vars(module).values() if isinstance(one, type) and issubclass(one, base)]
        yield from ((one, attribute) for one in kinds if attribute in vars(one))
        return
    if attribute == "*":
        offered = [key for key, one in vars(module).items() if callable(one) and not key.startswith("_")]
        yield from ((module, key) for key in offered if getattr(vars(module)[key], "__module__", "") == name)
        return
    holder = module
    for one in way:
        holder = getattr(holder, one, None)
    if attribute in vars(holder) if isinstance(holder, type) else hasattr(holder, attribute):
        yield holder, attribute  # not what a class only inherits
