"""Adversarial learning: what the players are given, what they pay, whose turn it is, and the rule that plays it all."""
