"""Noise of zonotopes: how generators are stored. Nothing else knows the storage; `base.py` says what all can do."""
