"""What tasks about pictures share."""
