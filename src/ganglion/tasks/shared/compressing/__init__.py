"""Pictures as files of their own format: what is expected in whole numbers, tables, range coding, and the file."""
