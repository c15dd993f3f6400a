"""The demo as a staging server has it: several workers, no toolbar, and under load.

`settings`, `wsgi` and `asgi` are what a server runs, `serving` starts servers, `visits`
is their visitors, and `seen` is what came of it.
"""
