"""What is laid into the copy is no test of this tree."""

collect_ignore = ["files"]
