"""`inspect`: look inside a system or a run."""
