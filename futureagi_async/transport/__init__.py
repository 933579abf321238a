"""From a request to its result: connections, deadlines, retries, and delivery."""
