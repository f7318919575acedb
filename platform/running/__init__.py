"""What a command runs on: the cluster and its doors, storage, data sets, plans, trainings."""
