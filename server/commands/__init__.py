"""The command line: what users and operators type. Each file is one command or what several of them share."""
