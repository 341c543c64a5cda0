"""Sounds in files: one by one, in folders of classes, named after their class, or beside a table."""
