"""MLflow: runs, registered models, results."""
