"""What is measured beside ours, and what loads them all."""
