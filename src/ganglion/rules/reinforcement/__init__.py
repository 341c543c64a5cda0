"""Learning from reward: values of states and actions, in tables and by networks."""
