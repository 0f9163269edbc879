"""
Measurements of whole programs against those of others: C{python -m tests.benchmarks}.
"""
