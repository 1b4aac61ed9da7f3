"""What passes between the agent and whoever watches from outside: typed facts. Standard library only."""
