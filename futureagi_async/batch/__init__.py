"""Many operations with bounded concurrency, one outcome each, and the journal beside them."""
