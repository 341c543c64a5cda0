"""What is computed faster than torch computes it; `applies` says when. Layers and rules take it by themselves."""
