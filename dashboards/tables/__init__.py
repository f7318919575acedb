"""Tables: the papers' own and ours beside them.

`papers` reads `tables.csv`, `papers.csv` and `datasets.csv`; `metrics` knows each metric's words,
unit and order; `comparison` makes lines of results, `diameters` of diameters by several ways,
`masks` of pseudo masks; `results` are ours for a paper's rows, `differences` how these differ;
`terminal` prints them, and all words from elsewhere.
"""
