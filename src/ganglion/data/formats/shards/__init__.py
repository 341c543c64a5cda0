"""Data sets that lie in many files, as engines for large data write them: folders of Parquet, and of tar archives."""
