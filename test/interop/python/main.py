"""The driver of the official Python SDK: every call of it that the service has, and its consumer library."""

import base64
import random
import time

from driver import (
    ENDPOINT,
    HOST,
    KEY,
    PORT,
    PREFIX,
    STS_KEY,
    case,
    check,
    code_of,
    connect,
    equal,
    refusal,
)

from aliyun.log import IndexConfig, IndexLineConfig, LogItem, PutLogsRequest
from aliyun.log.proto import LogGroupRaw

client = connect()
project = PREFIX + "p"
logstore = "app"
MIDDLE = "8" + "0" * 31


def make_logstore(name, shards=1):
    client.create_logstore(project, name, ttl=3, shard_count=shards)
    return name


def item(fields, nanos=None):
    return LogItem(timestamp=int(time.time()), time_nano_part=nanos, contents=list(fields.items()))


def put(store, fields, key=None, compress=True, codec=None, by=client, **more):
    request = PutLogsRequest(
        project, store, logitems=[item(fields)], hashKey=key, compress=compress, compress_type=codec, **more
    )
    by.put_logs(request)


def cursor_of(store, shard, where):
    return client.get_cursor(project, store, shard, where).get_cursor()


def pull(store, shard=0, cursor=None, count=1000, **more):
    return client.pull_logs(project, store, shard, cursor or cursor_of(store, shard, "begin"), count, **more)


def fields_of(response):
    return [
        {content.Key: content.Value for content in log.Contents}
        for group in response.get_loggroup_list().LogGroups
        for log in group.Logs
    ]


def number(cursor):
    return int(base64.b64decode(cursor))


def text(value):
    return base64.b64encode(str(value).encode()).decode()


# Projects and logstores


@case("create-project")
def _():
    client.create_project(project, "by Python")
    shown = client.get_project(project)
    equal((shown.get_projectname(), shown.get_description()), (project, "by Python"))


@case("create-project-twice")
def _():
    equal(code_of(lambda: client.create_project(project, "again")), "ProjectAlreadyExist")


@case("update-project")
def _():
    client.update_project(project, "new words")
    equal(client.get_project(project).get_description(), "new words")


@case("list-projects")
def _():
    found = connect(endpoint="127.0.0.1:" + PORT).list_project(project_name_pattern=project).get_projects()
    equal([entry["projectName"] for entry in found], [project])


@case("delete-project")
def _():
    client.create_project(PREFIX + "gone", "")
    client.delete_project(PREFIX + "gone")
    equal(code_of(lambda: client.get_project(PREFIX + "gone")), "ProjectNotExist")


@case("create-logstore")
def _():
    make_logstore(logstore, 2)
    shown = client.get_logstore(project, logstore)
    equal((shown.logstore_name, shown.get_ttl(), shown.get_shard_count()), (logstore, 3, 2))


@case("create-logstore-twice")
def _():
    equal(code_of(lambda: make_logstore(logstore, 2)), "LogStoreAlreadyExist")


@case("update-logstore")
def _():
    client.update_logstore(project, logstore, ttl=9)
    equal(client.get_logstore(project, logstore).get_ttl(), 9)


@case("list-logstores")
def _():
    make_logstore("other")
    equal(sorted(client.list_logstore(project).get_logstores()), [logstore, "other"])
    equal(client.list_logstore(project, "oth").get_logstores(), ["other"])


@case("delete-logstore")
def _():
    client.delete_logstore(project, "other")
    equal(code_of(lambda: client.get_logstore(project, "other")), "LogStoreNotExist")


@case("index-crud")
def _():
    def index(case_sensitive):
        return IndexConfig(7, IndexLineConfig([" "], case_sensitive=case_sensitive))

    def shown():
        return client.get_index_config(project, logstore).get_index_config().line_config.case_sensitive

    client.create_index(project, logstore, index(False))
    equal(shown(), False)
    client.update_index(project, logstore, index(True))
    equal(shown(), True)
    client.delete_index(project, logstore)
    equal(code_of(lambda: client.get_index_config(project, logstore)), "IndexConfigNotExist")


# Signatures and addresses


def can_use(other):
    equal(len(other.list_shards(project, logstore).get_shards_info()), 2)
    put(logstore, {"a": "b"}, by=other)


check("auth-v1", lambda: can_use(connect()))
check("auth-v1-sts", lambda: can_use(connect(STS_KEY)))
check("auth-v4", lambda: can_use(connect(version="v4")))
check("auth-v4-sts", lambda: can_use(connect(STS_KEY, version="v4")))
check("absolute-form", lambda: can_use(connect(endpoint=ENDPOINT)))


@case("host-without-port")
def _():
    # As with the endpoint 127.0.0.1, which dials port 80: the name of the project is in the Host alone.
    raw = connect(endpoint="127.0.0.1:" + PORT)
    raw._isRowIp = True
    can_use(raw)


@case("wrong-secret")
def _():
    for version in ("v1", "v4"):
        error = refusal(lambda: connect((KEY[0], "wrong"), version).list_shards(project, logstore))
        equal((error.get_error_code(), error.get_resp_status()), ("SignatureNotMatch", 401))


@case("unknown-key")
def _():
    for version in ("v1", "v4"):
        error = refusal(lambda: connect(("nobody", KEY[1]), version).list_shards(project, logstore))
        equal((error.get_error_code(), error.get_resp_status()), ("Unauthorized", 401))


# Puts

CODECS = {"lz4": {"codec": "lz4"}, "zstd": {"codec": "zstd"}, "identity": {"compress": False}}

for codec, options in CODECS.items():

    @case("put-lb-" + codec)
    def _():
        store = make_logstore("lb-" + codec)
        sent = {"codec": codec, "text": "again " * 200, "more": "你好"}
        put(store, sent, **options)
        # Hardly compressible, and longer than any buffer on the way.
        noise = {"noise": random.Random(7).randbytes(1 << 20).hex()}
        put(store, noise, **options)
        equal(fields_of(pull(store)) == [sent, noise], True)
        equal(fields_of(pull(store, count=1)), [sent])

    @case("put-route-" + codec)
    def _():
        store = make_logstore("route-" + codec, 2)
        put(store, {"n": "left"}, key="7F", **options)
        put(store, {"n": "right"}, key="80", **options)
        equal(fields_of(pull(store, 0)), [{"n": "left"}])
        equal(fields_of(pull(store, 1)), [{"n": "right"}])


@case("put-tags")
def _():
    store = make_logstore("tags")
    log = item({"level": "warn"}, nanos=123456789)
    tags = [("host", "h1"), ("path", "/var/log")]
    client.put_logs(PutLogsRequest(project, store, "t", "10.0.0.7", [log], logtags=tags))
    (group,) = pull(store).get_loggroup_list().LogGroups
    equal((group.Topic, group.Source), ("t", "10.0.0.7"))
    equal([(tag.Key, tag.Value) for tag in group.LogTags], tags)
    equal((group.Logs[0].Time, group.Logs[0].Time_ns), (log.get_time(), 123456789))


@case("put-bytes")
def _():
    store = make_logstore("bytes")
    value = bytes(range(256))
    group = LogGroupRaw()
    group.Source = "10.0.0.1"
    log = group.Logs.add()
    log.Time = int(time.time())
    content = log.Contents.add()
    content.Key = "value"
    content.Value = value
    client.put_log_raw(project, store, group)
    equal(fields_of(pull(store)), [{"value": value}])


# Groups and cursors

counted = "counted"
counted_at = int(time.time())
numbers = [{"n": str(n)} for n in range(25)]


@case("count-groups")
def _():
    make_logstore(counted)
    for fields in numbers:
        put(counted, fields)
    response = pull(counted)
    equal(response.get_loggroup_count(), 25)
    equal(fields_of(response), numbers)


@case("cursors-dense")
def _():
    cursor = cursor_of(counted, 0, "begin")
    for _ in numbers:
        response = pull(counted, cursor=cursor, count=1)
        equal(response.get_loggroup_count(), 1)
        equal(number(response.get_next_cursor()), number(cursor) + 1)
        cursor = response.get_next_cursor()
    equal(cursor, cursor_of(counted, 0, "end"))


@case("cursor-begin")
def _():
    cursor = client.get_begin_cursor(project, counted, 0).get_cursor()
    equal(fields_of(pull(counted, cursor=cursor, count=1)), [{"n": "0"}])


@case("cursor-end")
def _():
    store = make_logstore("cursor-end")
    put(store, {"n": "before"})
    cursor = client.get_end_cursor(project, store, 0).get_cursor()
    equal(fields_of(pull(store, cursor=cursor)), [])
    put(store, {"n": "after"})
    equal(fields_of(pull(store, cursor=cursor)), [{"n": "after"}])


@case("cursor-by-time")
def _():
    equal(cursor_of(counted, 0, counted_at - 3600), cursor_of(counted, 0, "begin"))
    equal(cursor_of(counted, 0, counted_at + 3600), cursor_of(counted, 0, "end"))


def time_of(cursor):
    return client.get_cursor_time(project, counted, 0, cursor).get_cursor_time()


@case("cursor-time")
def _():
    equal(abs(time_of(cursor_of(counted, 0, "begin")) - counted_at) <= 10, True)
    equal(abs(time_of(cursor_of(counted, 0, "end")) - time.time()) <= 3, True)


@case("previous-cursor-time")
def _():
    def previous(cursor):
        return client.get_previous_cursor_time(project, counted, 0, cursor).get_cursor_time()

    end = cursor_of(counted, 0, "end")
    equal(previous(end), time_of(text(number(end) - 1)))
    # Before begin and after end it clamps, on the error code InvalidCursor.
    begin = cursor_of(counted, 0, "begin")
    equal(previous(begin), time_of(begin))
    equal(abs(previous(text(number(end) + 9)) - time.time()) <= 3, True)


@case("end-cursor")
def _():
    cursor = cursor_of(counted, 0, "begin")
    end = text(number(cursor) + 7)
    response = pull(counted, cursor=cursor, end_cursor=end)
    equal((fields_of(response), response.get_next_cursor()), (numbers[:7], end))


# Pulls

PULLS = {"lz4": {}, "zstd": {"accept_compress_type": "zstd"}, "identity": {"compress": False}}

for codec, options in PULLS.items():

    @case("pull-" + codec)
    def _():
        response = pull(counted, **options)
        used = response.get_header("x-log-compresstype") or "identity"
        equal((used, fields_of(response)), (codec, numbers))


@case("pull-deflate")
def _():
    response = pull(counted, accept_compress_type="deflate")
    equal((response.get_header("x-log-compresstype"), fields_of(response)), ("deflate", numbers))


@case("pull-empty")
def _():
    cursor = cursor_of(counted, 0, "end")
    for options in PULLS.values():
        response = pull(counted, cursor=cursor, **options)
        equal((response.get_loggroup_count(), response.get_raw_size()), (0, 0))
        equal(response.get_next_cursor(), cursor)
        equal(response.get_header("x-log-end-of-cursor"), "1")


@case("pull-count")
def _():
    cursor = cursor_of(counted, 0, "begin")
    response = pull(counted, cursor=cursor, count=3)
    equal((fields_of(response), number(response.get_next_cursor())), (numbers[:3], number(cursor) + 3))


@case("pull-query")
def _():
    store = make_logstore("queried")
    for level in ("info", "error", "info", "error"):
        put(store, {"level": level})
    response = pull(store, query="level: error")
    equal(fields_of(response), [{"level": "error"}] * 2)
    equal(response.get_next_cursor(), cursor_of(store, 0, "end"))


# Shards


def shards_of(store):
    return client.list_shards(project, store).get_shards_info()


def summary(shards):
    return [(shard["shardID"], shard["status"]) for shard in shards]


@case("list-shards")
def _():
    shards = shards_of(logstore)
    equal(summary(shards), [(0, "readwrite"), (1, "readwrite")])
    ranges = [(shard["inclusiveBeginKey"], shard["exclusiveEndKey"]) for shard in shards]
    equal(ranges, [("0" * 32, MIDDLE), (MIDDLE, "f" * 32)])


@case("split")
def _():
    make_logstore("split")
    for n in "123":
        put("split", {"n": n})
    answer = client.split_shard(project, "split", 0, "").get_shards_info()
    equal(summary(answer), [(0, "readonly"), (1, "readwrite"), (2, "readwrite")])
    equal(answer[1]["exclusiveEndKey"], answer[2]["inclusiveBeginKey"])
    equal(summary(shards_of("split")), summary(answer))


@case("read-only-readable")
def _():
    response = pull("split")
    equal(fields_of(response), [{"n": n} for n in "123"])
    equal(response.get_next_cursor(), cursor_of("split", 0, "end"))


@case("read-only-end")
def _():
    end = cursor_of("split", 0, "end")
    put("split", {"n": "4"})
    equal(cursor_of("split", 0, "end"), end)


@case("merge")
def _():
    answer = client.merge_shard(project, "split", 1).get_shards_info()
    equal(summary(answer), [(3, "readwrite"), (1, "readonly"), (2, "readonly")])
    equal((answer[0]["inclusiveBeginKey"], answer[0]["exclusiveEndKey"]), ("0" * 32, "f" * 32))


@case("delete-shard")
def _():
    client.delete_shard(project, "split", 0)
    equal(summary(shards_of("split")), [(1, "readonly"), (2, "readonly"), (3, "readwrite")])


@case("split-at-key")
def _():
    border = "4" + "0" * 31
    answer = client.split_shard(project, make_logstore("split-key"), 0, border).get_shards_info()
    equal((answer[1]["exclusiveEndKey"], answer[2]["inclusiveBeginKey"]), (border, border))


# Consumer groups

store = make_logstore("groups", 2)


def make_group(name, timeout=60, order=False, of=store):
    client.create_consumer_group(project, of, name, timeout, order)


def groups():
    return [
        (group.get_consumer_group_name(), group.get_timeout(), group.is_in_order())
        for group in client.list_consumer_group(project, store).get_consumer_groups()
    ]


def beat(group, consumer, listed, of=store):
    return sorted(client.heart_beat(project, of, group, consumer, listed).get_shards())


def commit(group, shard, checkpoint, consumer, force=True, of=store):
    client.update_check_point(project, of, group, shard, checkpoint, consumer, force)


def checkpoints(group, shard=-1):
    return client.get_check_point(project, store, group, shard).get_consumer_group_check_points()


check("group-create", lambda: make_group("g1", 60, True))


@case("group-create-twice")
def _():
    equal(code_of(lambda: make_group("g1")), "ConsumerGroupAlreadyExist")


check("group-list", lambda: equal(groups(), [("g1", 60, True)]))


@case("group-update")
def _():
    client.update_consumer_group(project, store, "g1", 40, False)
    equal(groups(), [("g1", 40, False)])
    client.update_consumer_group(project, store, "g1", timeout=41)
    equal(groups(), [("g1", 41, False)])


@case("group-delete")
def _():
    make_group("g2")
    client.delete_consumer_group(project, store, "g2")
    equal(groups(), [("g1", 41, False)])


@case("checkpoint-empty")
def _():
    found = checkpoints("g1")
    equal([(entry["shard"], entry["checkpoint"]) for entry in found], [(0, ""), (1, "")])
    equal([type(entry["updateTime"]) for entry in found], [int, int])


@case("checkpoint-set")
def _():
    checkpoint = cursor_of(store, 1, "end")
    commit("g1", 1, checkpoint, "c 1")
    entry = checkpoints("g1")[1]
    equal((entry["shard"], entry["checkpoint"], entry["consumer"]), (1, checkpoint, "c 1"))
    equal(abs(entry["updateTime"] / 1e6 - time.time()) < 10, True)


@case("checkpoint-one-shard")
def _():
    equal([(entry["shard"], entry["checkpoint"] != "") for entry in checkpoints("g1", 1)], [(1, True)])
    equal([(entry["shard"], entry["checkpoint"]) for entry in checkpoints("g1", 0)], [(0, "")])


@case("checkpoint-of-owner")
def _():
    make_group("owned")
    equal(beat("owned", "owner", []), [0, 1])
    checkpoint = cursor_of(store, 0, "end")
    commit("owned", 0, checkpoint, "owner", False)
    equal(code_of(lambda: commit("owned", 0, checkpoint, "stranger", False)), "ConsumerNotExist")
    beat("owned", "second", [])
    equal(code_of(lambda: commit("owned", 0, checkpoint, "second", False)), "ConsumerNotMatch")


@case("heartbeat")
def _():
    make_group("beat")
    equal(beat("beat", "c1", []), [0, 1])
    equal(beat("beat", "c1", [0, 1]), [0, 1])


@case("heartbeat-transfer")
def _():
    make_group("move")
    equal(beat("move", "c1", []), [0, 1])
    equal(beat("move", "c2", []), [])
    kept = beat("move", "c1", [0, 1])
    equal(len(kept), 1)
    equal(beat("move", "c2", []), [])
    equal(beat("move", "c1", kept), kept)
    equal(beat("move", "c2", []), [1 - kept[0]])


@case("heartbeat-expiry")
def _():
    make_group("expire", 2)
    equal(beat("expire", "c1", []), [0, 1])
    got = []
    for _ in range(8):
        got = beat("expire", "c2", got)
        if got == [0, 1]:
            break
        time.sleep(0.5)
    equal(got, [0, 1])


@case("heartbeat-order")
def _():
    ordered = make_logstore("ordered")
    make_group("order", 60, True, of=ordered)
    put(ordered, {"n": "1"})
    client.split_shard(project, ordered, 0, "")
    equal(beat("order", "c1", [], of=ordered), [0])
    commit("order", 0, cursor_of(ordered, 0, "end"), "c1", of=ordered)
    equal(beat("order", "c1", [0], of=ordered), [1, 2])


# Errors


@case("unknown-project")
def _():
    error = refusal(lambda: client.list_shards(PREFIX + "nowhere", logstore))
    equal((error.get_error_code(), error.get_resp_status()), ("ProjectNotExist", 404))


@case("unknown-logstore")
def _():
    error = refusal(lambda: put("nowhere", {"a": "b"}))
    equal((error.get_error_code(), error.get_resp_status()), ("LogStoreNotExist", 404))


check("unknown-shard", lambda: equal(code_of(lambda: cursor_of(logstore, 77, "begin")), "ShardNotExist"))
check("unknown-group", lambda: equal(code_of(lambda: beat("nobody", "c1", [])), "ConsumerGroupNotExist"))


@case("bad-cursor")
def _():
    cut = cursor_of(counted, 0, "begin")[10:]
    equal(code_of(lambda: pull(counted, cursor=cut)), "ParameterInvalid")


@case("cursor-out-of-range")
def _():
    beyond = text(number(cursor_of(counted, 0, "end")) + 5)
    equal(code_of(lambda: pull(counted, cursor=beyond)), "InvalidCursor")


@case("error-parts")
def _():
    error = refusal(lambda: client.get_logstore(project, "nowhere"))
    equal((error.get_error_code(), error.get_resp_status()), ("LogStoreNotExist", 404))
    equal("logstore nowhere does not exist" in error.get_error_message(), True)
    equal(len(error.get_request_id()), 24)


import consumers  # noqa: E402

consumers.run(client, project, make_logstore, put, cursor_of)
