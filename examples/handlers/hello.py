from dormouse import serve, task


@task
def hello(payload):
    return {"hello": payload["name"]}


if __name__ == "__main__":
    serve()
