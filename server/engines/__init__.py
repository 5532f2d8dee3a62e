"""The algorithms behind the tasks: arrays and pictures in, arrays and pictures out.

They know nothing of the server but its failures and limits. Each is loaded when its task first runs: the gateway
reads task files for their schemas, and needs none of this.
"""
