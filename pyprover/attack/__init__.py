"""The search for counterexamples: projected gradients in float32; nothing here is trusted."""
