"""A sweep's insides: the searcher, the callback, Tune's state."""
