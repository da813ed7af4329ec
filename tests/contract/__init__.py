"""Conformance: what readers and subscribers may rely on, asked of any server by its address."""
