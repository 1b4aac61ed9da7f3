"""The program's own code: whose a file is, where in it something happens, and what its source says."""
