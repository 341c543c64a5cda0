"""What tasks that write share, texts and tunes."""
