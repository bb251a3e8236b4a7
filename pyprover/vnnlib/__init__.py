"""VNN-LIB properties: reading them (versions 1.0 and 2.0), deciding them, and running sets of instances."""
