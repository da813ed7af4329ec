"""The desk's checks: what is odd about copy, said and never mended. Pure, total, and linear.

`examine` is the way in; each other module is a check or two. A check would rather miss something
than be wrong: people stop reading what cries wolf.
"""
