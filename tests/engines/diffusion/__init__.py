"""Tests of drawing by diffusion, with tiny networks of random weights that are made here."""
