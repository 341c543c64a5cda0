"""Looking for good settings: a study is a folder of ordinary runs, and a journal of what was asked and told."""
