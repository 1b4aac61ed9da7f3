"""What passes between the agent and whoever watches from outside: names that both know, events out, requests in."""
