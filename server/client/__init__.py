"""A client of the task array for the commands: which server, what to send, one socket that comes back by itself."""
