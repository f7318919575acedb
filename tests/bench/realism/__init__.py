"""Made lesions beside real ones: how they differ, and how well a network tells them."""
