"""What is looked at, one file each."""

from __future__ import annotations

from mlxprobe.agent.inspectors.accumulation import Accumulation
from mlxprobe.agent.inspectors.adapter_files import AdapterFiles
from mlxprobe.agent.inspectors.adapters import Adapters
from mlxprobe.agent.inspectors.bands import Bands
from mlxprobe.agent.inspectors.buffers import Buffers
from mlxprobe.agent.inspectors.by_hand import ByHand
from mlxprobe.agent.inspectors.causality import Causality
from mlxprobe.agent.inspectors.checkpoints import Checkpoints
from mlxprobe.agent.inspectors.choices import Choices
from mlxprobe.agent.inspectors.clipping import Clipping
from mlxprobe.agent.inspectors.copies import Copies
from mlxprobe.agent.inspectors.data import Data
from mlxprobe.agent.inspectors.dependence import Dependence
from mlxprobe.agent.inspectors.draws import Draws
from mlxprobe.agent.inspectors.drifts import Drifts
from mlxprobe.agent.inspectors.dropped import Dropped
from mlxprobe.agent.inspectors.frozen import Frozen
from mlxprobe.agent.inspectors.functional import Functional
from mlxprobe.agent.inspectors.fusing import Fusing
from mlxprobe.agent.inspectors.gradients import Gradients
from mlxprobe.agent.inspectors.heard import Heard
from mlxprobe.agent.inspectors.hidden import Hidden
from mlxprobe.agent.inspectors.indices import Indices
from mlxprobe.agent.inspectors.initials import Initials
from mlxprobe.agent.inspectors.layouts import Layouts
from mlxprobe.agent.inspectors.losses import Losses
from mlxprobe.agent.inspectors.makeup import Makeup
from mlxprobe.agent.inspectors.modules import Modules
from mlxprobe.agent.inspectors.norms import Norms
from mlxprobe.agent.inspectors.operations import Operations
from mlxprobe.agent.inspectors.outcomes import Outcomes
from mlxprobe.agent.inspectors.pairs import Pairs
from mlxprobe.agent.inspectors.parameters import Parameters
from mlxprobe.agent.inspectors.passes import Passes
from mlxprobe.agent.inspectors.places import Places
from mlxprobe.agent.inspectors.prints import Prints
from mlxprobe.agent.inspectors.products import Products
from mlxprobe.agent.inspectors.rates import Rates
from mlxprobe.agent.inspectors.ratios import Ratios
from mlxprobe.agent.inspectors.reaches import Reaches
from mlxprobe.agent.inspectors.reduced import Reduced
from mlxprobe.agent.inspectors.renewals import Renewals
from mlxprobe.agent.inspectors.repeats import Repeats
from mlxprobe.agent.inspectors.retained import Retained
from mlxprobe.agent.inspectors.rowwise import Rowwise
from mlxprobe.agent.inspectors.scales import Scales
from mlxprobe.agent.inspectors.shares import Shares
from mlxprobe.agent.inspectors.sizes import Sizes
from mlxprobe.agent.inspectors.slips import Slips
from mlxprobe.agent.inspectors.sources import Sources
from mlxprobe.agent.inspectors.supply import Supply
from mlxprobe.agent.inspectors.swallows import Swallows
from mlxprobe.agent.inspectors.takes import Takes
from mlxprobe.agent.inspectors.ties import Ties
from mlxprobe.agent.inspectors.twins import Twins
from mlxprobe.agent.inspectors.unclipped import Unclipped
from mlxprobe.agent.inspectors.units import Units
from mlxprobe.agent.inspectors.whence import Whence
from mlxprobe.agent.inspectors.worths import Worths
from mlxprobe.agent.inspectors.written import Written
from mlxprobe.agent.looks.inspection import Inspector

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
    ByHand,
    Repeats,
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
