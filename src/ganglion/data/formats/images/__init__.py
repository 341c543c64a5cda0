"""Pictures in files: one by one, in folders of classes, in pairs, with masks, boxes or tables of labels."""
