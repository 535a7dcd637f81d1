# The least there is with the client for Python: what a warm handler looks like that does nothing.
from dormouse import serve, task


@task
def noop(payload):
    pass


serve()
