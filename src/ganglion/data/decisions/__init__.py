"""Finite Markov decision processes: states, actions, and what follows from them with which probability."""
