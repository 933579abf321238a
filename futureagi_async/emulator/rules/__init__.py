"""The rules of the service: a request in, a response out, and the world changed.

Nothing here knows a socket, a clock or a thread. `service` ties the modules together
and runs the checks in the service's order:

    routes -> content (what the client accepts) -> access (keys)
           -> content (the body) -> forms, made of fields -> a view

The views are in `configs`, `running`, `execute`, `rerun`, `cancel`, `views`, `detail`,
`runs`, `metrics` and `templates`. What takes time is handed over to `workers`, which do
it in the steps of `phases` before a later request is served.
"""
