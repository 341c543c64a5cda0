"""Machines with an energy: Boltzmann machines, restricted ones of several kinds, and what is stacked of them."""
