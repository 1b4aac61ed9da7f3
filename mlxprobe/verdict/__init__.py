"""Observation, findings and expectation in, one outcome out: pure."""
