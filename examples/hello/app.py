"""Answers one request to itself, without a network: `blast run python app.py`."""
import sys
from importlib.metadata import version

import requests
from flask import Flask, jsonify

app = Flask(__name__)


@app.get("/hello/<name>")
def hello(name):
    return jsonify(message=f"hello {name}", python=sys.version.split()[0])


def main():
    answer = app.test_client().get("/hello/world")
    assert answer.status_code == 200, answer.status
    # the same URL as a client would ask for it; prepared, not sent
    request = requests.Request("GET", "http://localhost:5000/hello/world").prepare()
    print(f"{request.method} {request.path_url} -> {answer.status_code} {answer.get_json()}")
    print(f"flask {version('flask')}, requests {requests.__version__}, from {sys.prefix}")


if __name__ == "__main__":
    main()
