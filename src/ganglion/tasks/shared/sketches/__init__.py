"""What tasks about drawings line by line share."""
