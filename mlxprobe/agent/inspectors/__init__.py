"""What is looked at, one file each."""

from __future__ import annotations

from mlxprobe.agent.inspectors.adapters.lora_base_training import Adapters
from mlxprobe.agent.inspectors.adapters.lora_checkpoint import AdapterFiles
from mlxprobe.agent.inspectors.adapters.lora_fuse_error import Fusing
from mlxprobe.agent.inspectors.adapters.products import Products
from mlxprobe.agent.inspectors.data.dataset_alignment import Places
from mlxprobe.agent.inspectors.data.duplicate_inputs import Twins
from mlxprobe.agent.inspectors.data.exhausted_iterators import Supply
from mlxprobe.agent.inspectors.data.growing_inputs import Sizes
from mlxprobe.agent.inspectors.data.input_scale import Scales
from mlxprobe.agent.inspectors.data.label_consistency import Pairs
from mlxprobe.agent.inspectors.data.mutated_dataset import Sources
from mlxprobe.agent.inspectors.data.repeated_batches import Data
from mlxprobe.agent.inspectors.data.rng_reuse import Draws
from mlxprobe.agent.inspectors.data.token_ids import Indices
from mlxprobe.agent.inspectors.gradients.accumulation import Accumulation
from mlxprobe.agent.inspectors.gradients.by_hand import ByHand
from mlxprobe.agent.inspectors.gradients.clipping import Clipping
from mlxprobe.agent.inspectors.gradients.misplaced_gradients import Misplaced
from mlxprobe.agent.inspectors.gradients.provenance import Provenance
from mlxprobe.agent.inspectors.gradients.unclipped import Unclipped
from mlxprobe.agent.inspectors.gradients.zero_gradients import Gradients
from mlxprobe.agent.inspectors.losses.axis_misuse import Slips
from mlxprobe.agent.inspectors.losses.choices import Choices
from mlxprobe.agent.inspectors.losses.importance_ratio import Ratios
from mlxprobe.agent.inspectors.losses.logit_spread import Bands
from mlxprobe.agent.inspectors.losses.loss_arguments import Takes
from mlxprobe.agent.inspectors.losses.loss_graph import Losses
from mlxprobe.agent.inspectors.losses.loss_masking import Shares
from mlxprobe.agent.inspectors.losses.policy_gradient_sign import Worths
from mlxprobe.agent.inspectors.losses.single_class_targets import Outcomes
from mlxprobe.agent.inspectors.losses.target_range import Reaches
from mlxprobe.agent.inspectors.models.causality import Causality
from mlxprobe.agent.inspectors.models.functional import Functional
from mlxprobe.agent.inspectors.models.initials import Initials
from mlxprobe.agent.inspectors.models.input_sensitivity import Dependence
from mlxprobe.agent.inspectors.models.model_calls import Heard
from mlxprobe.agent.inspectors.models.module_state import Modules
from mlxprobe.agent.inspectors.models.run_summary import Makeup
from mlxprobe.agent.inspectors.models.symmetric_units import Units
from mlxprobe.agent.inspectors.models.tensor_layout import Layouts
from mlxprobe.agent.inspectors.models.unbatched_calls import Rowwise
from mlxprobe.agent.inspectors.models.unregistered_parameters import Hidden
from mlxprobe.agent.inspectors.models.validation_passes import Passes
from mlxprobe.agent.inspectors.models.weight_tying import Ties
from mlxprobe.agent.inspectors.ranks.gradient_fingerprints import Reduced
from mlxprobe.agent.inspectors.ranks.parameter_fingerprints import Prints
from mlxprobe.agent.inspectors.ranks.rank_provenance import Whence
from mlxprobe.agent.inspectors.updates.discarded_updates import Dropped
from mlxprobe.agent.inspectors.updates.frozen import Frozen
from mlxprobe.agent.inspectors.updates.frozen_batchnorm import Drifts
from mlxprobe.agent.inspectors.updates.learning_rate import Rates
from mlxprobe.agent.inspectors.updates.optimizer_recreation import Renewals
from mlxprobe.agent.inspectors.updates.target_networks import Copies
from mlxprobe.agent.inspectors.updates.unchanged_parameters import Parameters
from mlxprobe.agent.inspectors.updates.update_underflow import Swallows
from mlxprobe.agent.inspectors.updates.weight_norms import Norms
from mlxprobe.agent.inspectors.work.buffers import Buffers
from mlxprobe.agent.inspectors.work.checkpoints import Checkpoints
from mlxprobe.agent.inspectors.work.functools_cache import Caches
from mlxprobe.agent.inspectors.work.inefficient_ops import Operations
from mlxprobe.agent.inspectors.work.non_finite_files import Written
from mlxprobe.agent.inspectors.work.retained_arrays import Retained
from mlxprobe.agent.sampling.inspector import Inspector

ALL: tuple[type[Inspector], ...] = (
    Losses,
    Gradients,
    Parameters,
    Norms,
    Swallows,
    Units,
    Ties,
    Prints,
    Whence,
    Provenance,  # after Losses, which counts the factors of the loss; before all that explain updates
    Accumulation,
    ByHand,
    Misplaced,
    Drifts,
    Frozen,
    Data,
    Pairs,
    Twins,
    Copies,
    Scales,
    Ratios,
    Reaches,
    Indices,
    Heard,  # leaves models as it found them: before Passes, which wraps them for good
    Passes,
    Causality,
    Functional,
    Rowwise,  # before Dependence, which lets go of the calls
    Dependence,
    Layouts,
    Modules,
    Hidden,
    Operations,
    Sizes,
    Shares,
    Reduced,  # after Shares, which weighs the loss
    Outcomes,
    Takes,
    Initials,
    Slips,
    Worths,
    Retained,
    Buffers,
    Caches,
    Checkpoints,
    Adapters,
    Products,
    AdapterFiles,
    Fusing,
    Rates,
    Clipping,
    Unclipped,
    Makeup,
    Renewals,
    Written,
    Draws,
    Dropped,
    Choices,
    Supply,
    Sources,
    Places,
    Bands,
)
