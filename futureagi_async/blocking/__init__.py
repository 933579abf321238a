"""The blocking client: the asynchronous one, run in a thread of its own."""
