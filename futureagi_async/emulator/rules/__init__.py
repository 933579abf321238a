"""How the service behaves: a request in, an answer out, and the world changed.

Nothing here knows a socket, a clock or a thread. `service` is the whole; it goes
through the checks in the service's order:

    routes -> content (what the client takes) -> access (keys)
           -> content (the body) -> forms, made of fields -> a view

The views are `configs`, `running`, `reading` and `templates`.
"""
