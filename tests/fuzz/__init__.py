"""Bytes that nobody would send on purpose, sent to all that reads bytes from outside.

`targets.py` says what is read and what must hold of it, `html.py` is the judge of HTML, `inputs/`
has what the inputs grow from. `python -m tests.fuzz --inputs 1000000` lets atheris make them, led
by what they reach in our code; `test_inputs.py` tries those that are kept, and some made of them.
"""
