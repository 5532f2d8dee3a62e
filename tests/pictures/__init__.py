"""Pictures made in code, and the files they are put into."""
