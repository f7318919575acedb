"""What a person looks at: the papers' tables, sweeps beside them, reports."""
