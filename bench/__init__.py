"""What the server costs, measured against its limits and against what a user would otherwise write by hand.

`python -m bench` runs every part and prints ratios of figures taken in the same run, in alternating rounds.
Figures move with the machine; the ratios are what counts.
"""
