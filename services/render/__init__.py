"""Folds the stored events of an article into its next version."""
