"""What MLflow holds, read with care, as anybody may have written it.

`runs` reads a sweep, with `evidence` (lesions, configuration, pictures) and `merits` (by what it
was judged); `artifacts` is the one door to files, `credentials` keeps passwords out of sight,
`numbers` takes only numbers for numbers; `baselines` writes the papers' rows.
"""
