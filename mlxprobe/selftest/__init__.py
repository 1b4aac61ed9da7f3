"""What can be proved of mlxprobe itself on a machine: parts that end one by one, and a bundle to send."""
