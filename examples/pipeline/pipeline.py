from dormouse import serve, task


@task
def fetch(payload, run):
    text = f"all about {payload['topic']} and {payload['topic']}"  # in yours: a download
    run.enqueue("parse", {"text": text}, queue="parse")


@task
def parse(payload, run):
    run.enqueue("count", {"words": payload["text"].split()}, queue="count")


@task
def count(payload, run):
    counts = {word: payload["words"].count(word) for word in payload["words"]}
    run.enqueue("publish", {"counts": counts}, queue="publish")


@task
def publish(payload):
    return max(payload["counts"], key=payload["counts"].get)


if __name__ == "__main__":
    serve()
