"""How lesions look, as vectors: the network that makes them, its training, clusters, neighbours."""
