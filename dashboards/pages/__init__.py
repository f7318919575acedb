"""HTML pages that need nothing else: no server, no network, no script.

`view` is what a sweep's page and table show, `report` its page; `evaluation`, `reproduction` and
`masks` are those of the commands of these names; `templates/` has their HTML and the one style.
"""
