"""What is looked at, one file each."""

from __future__ import annotations

from mlxprobe.agent.inspectors.adapters.adapter_files import AdapterFiles
from mlxprobe.agent.inspectors.adapters.adapters import Adapters
from mlxprobe.agent.inspectors.adapters.fusing import Fusing
from mlxprobe.agent.inspectors.adapters.products import Products
from mlxprobe.agent.inspectors.data.data import Data
from mlxprobe.agent.inspectors.data.draws import Draws
from mlxprobe.agent.inspectors.data.indices import Indices
from mlxprobe.agent.inspectors.data.pairs import Pairs
from mlxprobe.agent.inspectors.data.places import Places
from mlxprobe.agent.inspectors.data.scales import Scales
from mlxprobe.agent.inspectors.data.sizes import Sizes
from mlxprobe.agent.inspectors.data.sources import Sources
from mlxprobe.agent.inspectors.data.supply import Supply
from mlxprobe.agent.inspectors.data.twins import Twins
from mlxprobe.agent.inspectors.gradients.accumulation import Accumulation
from mlxprobe.agent.inspectors.gradients.along import Along
from mlxprobe.agent.inspectors.gradients.by_hand import ByHand
from mlxprobe.agent.inspectors.gradients.clipping import Clipping
from mlxprobe.agent.inspectors.gradients.foreign import Foreign
from mlxprobe.agent.inspectors.gradients.gradients import Gradients
from mlxprobe.agent.inspectors.gradients.repeats import Repeats
from mlxprobe.agent.inspectors.gradients.unclipped import Unclipped
from mlxprobe.agent.inspectors.losses.bands import Bands
from mlxprobe.agent.inspectors.losses.choices import Choices
from mlxprobe.agent.inspectors.losses.losses import Losses
from mlxprobe.agent.inspectors.losses.outcomes import Outcomes
from mlxprobe.agent.inspectors.losses.ratios import Ratios
from mlxprobe.agent.inspectors.losses.reaches import Reaches
from mlxprobe.agent.inspectors.losses.shares import Shares
from mlxprobe.agent.inspectors.losses.slips import Slips
from mlxprobe.agent.inspectors.losses.takes import Takes
from mlxprobe.agent.inspectors.losses.worths import Worths
from mlxprobe.agent.inspectors.models.causality import Causality
from mlxprobe.agent.inspectors.models.dependence import Dependence
from mlxprobe.agent.inspectors.models.functional import Functional
from mlxprobe.agent.inspectors.models.heard import Heard
from mlxprobe.agent.inspectors.models.hidden import Hidden
from mlxprobe.agent.inspectors.models.initials import Initials
from mlxprobe.agent.inspectors.models.layouts import Layouts
from mlxprobe.agent.inspectors.models.makeup import Makeup
from mlxprobe.agent.inspectors.models.modules import Modules
from mlxprobe.agent.inspectors.models.passes import Passes
from mlxprobe.agent.inspectors.models.rowwise import Rowwise
from mlxprobe.agent.inspectors.models.ties import Ties
from mlxprobe.agent.inspectors.models.units import Units
from mlxprobe.agent.inspectors.ranks.prints import Prints
from mlxprobe.agent.inspectors.ranks.reduced import Reduced
from mlxprobe.agent.inspectors.ranks.whence import Whence
from mlxprobe.agent.inspectors.updates.copies import Copies
from mlxprobe.agent.inspectors.updates.drifts import Drifts
from mlxprobe.agent.inspectors.updates.dropped import Dropped
from mlxprobe.agent.inspectors.updates.frozen import Frozen
from mlxprobe.agent.inspectors.updates.norms import Norms
from mlxprobe.agent.inspectors.updates.parameters import Parameters
from mlxprobe.agent.inspectors.updates.rates import Rates
from mlxprobe.agent.inspectors.updates.renewals import Renewals
from mlxprobe.agent.inspectors.updates.swallows import Swallows
from mlxprobe.agent.inspectors.work.buffers import Buffers
from mlxprobe.agent.inspectors.work.caches import Caches
from mlxprobe.agent.inspectors.work.checkpoints import Checkpoints
from mlxprobe.agent.inspectors.work.operations import Operations
from mlxprobe.agent.inspectors.work.retained import Retained
from mlxprobe.agent.inspectors.work.written import Written
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
    Accumulation,
    Along,
    ByHand,
    Repeats,
    Foreign,
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
