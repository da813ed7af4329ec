"""Sources that are pulled: fetched, read by `core/sources`, filed by the same door as all else."""
