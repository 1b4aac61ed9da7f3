"""The agent in a process: how it comes, with which children and ranks, and how it leaves."""
