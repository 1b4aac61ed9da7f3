"""Run one program or many, of ours or of the user's, and diagnose what was seen."""
