"""What tasks about series share."""
