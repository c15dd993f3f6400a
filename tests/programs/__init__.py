"""Random programs of signals, and worlds to run them in."""
