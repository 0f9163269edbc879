"""
Fuzzing: what comes from outside is a value or the one documented exception, for any bytes whatever.

C{python -m tests.fuzz} runs it by the million; the tests here are its short form.
"""
