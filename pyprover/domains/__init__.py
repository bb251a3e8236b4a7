"""Abstract domains: intervals and linear bounds, as pure functions with a table from operators to transformers each."""
