"""Copy that is clean and copy that is not, and what the desk's checks say of it."""
