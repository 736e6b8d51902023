"""What the Python driver uses everywhere: where the service is, clients, and the lines it prints."""

import json
import os
import time
import traceback

HOST = os.environ["SLS_HOST"]
PORT = os.environ["SLS_PORT"]
KEY = (os.environ["SLS_AK"], os.environ["SLS_SK"])
STS_KEY = (os.environ["SLS_STS_AK"], os.environ["SLS_STS_SK"], os.environ["SLS_STS_TOKEN"])
PREFIX = os.environ["SLS_PREFIX"]

# Requests to names below the endpoint reach the service as to a proxy: no resolver knows these names.
ENDPOINT = "http://" + HOST
os.environ["http_proxy"] = "http://127.0.0.1:" + PORT

from aliyun.log import LogClient  # noqa: E402
from aliyun.log.logexception import LogException  # noqa: E402


def connect(key=KEY, version="v1", endpoint=ENDPOINT):
    access_key_id, secret, *token = key
    return LogClient(
        endpoint,
        access_key_id,
        secret,
        securityToken=token[0] if token else None,
        source="10.0.0.1",
        auth_version=version,
        region="cn-hangzhou",
    )


def check(case, work):
    """Runs one case and prints how it went."""
    try:
        work()
        line = {"case": case, "ok": True}
    except Exception:  # A red case must not hide the ones after it.
        line = {"case": case, "ok": False, "detail": traceback.format_exc()[-2000:]}
    print(json.dumps(line), flush=True)


def case(name):
    """Runs the function under it as a case, at once."""

    def run(work):
        check(name, work)
        return work

    return run


def equal(found, wanted):
    if found != wanted:
        raise AssertionError("%.400r is not %.400r" % (found, wanted))


def refusal(work):
    """The LogException that `work` raises."""
    try:
        value = work()
    except LogException as error:
        return error
    raise AssertionError("no error, but %r" % (value,))


def code_of(work):
    return refusal(work).get_error_code()


def until(condition, seconds, what):
    """Waits for a condition."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise AssertionError("not within %s s: %s" % (seconds, what() if callable(what) else what))
        time.sleep(0.1)
