"""The self-test of mlxprobe on a machine: parts that run one by one, and a bundle to send."""
