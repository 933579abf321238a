"""What every room speaks in: requests, operations, pages, outcomes, and the codec."""
