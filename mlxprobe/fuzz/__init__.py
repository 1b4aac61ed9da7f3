"""Random programs: generated, run in watched processes, held against references, reduced."""
