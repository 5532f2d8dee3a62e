"""Guide pictures for ControlNet: edges, lines, coarse and shuffled copies; depth, normals, poses, classes by weights.

Every map takes a picture `h × w × 3` and gives a map of the same height and width, `h × w` where it is grey. Where
ControlNet learnt from a network whose weights do not come with the server, the map is drawn by a classical method
that gives the same kind of picture.
"""
