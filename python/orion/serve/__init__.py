"""A model behind OpenAI's routes: `app.Service` is the application, `server.Server` its port.

Knows no command line. Needs starlette and uvicorn, the package's extra `serve`; the settings do
not.
"""
