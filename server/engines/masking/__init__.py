"""Masks of what is found in a picture: faces, eyes, parts of faces; hands and persons by weights of the operator.

A detector takes a picture `h × w × 3` and gives detections; `mask` draws them white on black.
"""
