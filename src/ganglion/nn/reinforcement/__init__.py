"""What every action is worth: tables and networks, and how they explore."""
