"""One module an endpoint: its request, its result, and what reads between them."""
