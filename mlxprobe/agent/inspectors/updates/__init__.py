"""What an update takes, and what it leaves."""
