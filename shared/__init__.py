"""What every service stands on: the contract, the article, the run time."""
