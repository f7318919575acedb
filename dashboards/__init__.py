"""What a person looks at: the papers' tables, sweeps beside them, pages.

A room a noun: `recorded` reads what MLflow holds, `tables` sets it beside the papers' rows, `plots`
draws it, `pages` makes HTML of all that. No system is named here: what one is called and measured
by comes from its runs, the papers and `tables.metrics`.
"""
