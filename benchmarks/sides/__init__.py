"""One module for each framework; each trains a workload its own way and says how long the epochs took."""
