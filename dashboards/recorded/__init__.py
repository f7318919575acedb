"""What MLflow holds, read with care: runs, artifacts, numbers, the papers' baselines."""
