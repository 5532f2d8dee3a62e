"""Train the two networks of the built-in enlarger; `python -m bench.upscaler --help`, with the extra `train`."""
