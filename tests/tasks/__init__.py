"""Tests of the task files, each through its handler."""
