"""Random training programs: plans, drawn by Hypothesis, and the programs that they describe, as text."""
