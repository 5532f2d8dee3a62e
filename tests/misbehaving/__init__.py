"""Task files that do what a handler should not, and one that does nothing: TASKARRAY_TASKS=tests.misbehaving."""
