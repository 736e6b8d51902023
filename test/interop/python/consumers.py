"""The cases of the consumer library: its members are processes of their own, so that one can end without a word."""

import json
import os
import signal
import subprocess
import sys
import threading
import time

from driver import case, until

GROUP = "workers"
KEYS = ["20", "60", "a0", "e0"]


class Member:
    """A process with a ConsumerWorker: prints each log it was given, which is collected here."""

    def __init__(self, project, store, name, version="v1", codec="lz4"):
        program = os.path.join(os.path.dirname(os.path.abspath(__file__)), "member.py")
        self.seen = []
        self.process = subprocess.Popen(
            [sys.executable, program, project, store, GROUP, name, version, codec], stdout=subprocess.PIPE, text=True
        )
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.process.stdout:
            self.seen.append(tuple(json.loads(line)))

    def numbers(self):
        return {n for _, n in self.seen}

    def shards(self):
        return {shard for shard, _ in self.seen}

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.kill()


def run(client, project, make_logstore, put, cursor_of):
    store = make_logstore("consumed", 4)
    sent = []

    def send(keys):
        for key in keys:
            put(store, {"n": str(len(sent))}, key=key)
            sent.append(str(len(sent)))

    def checkpoints():
        found = client.get_check_point(project, store, GROUP).get_consumer_group_check_points()
        return {entry["shard"]: entry["checkpoint"] for entry in found}

    first = Member(project, store, "first")
    second = None
    try:

        @case("consumer-two-members")
        def _():
            nonlocal second
            send(KEYS * 3)
            until(lambda: first.numbers() == set(sent), 20, lambda: "the first member has %s" % first.seen)
            second = Member(project, store, "second", "v4", "zstd")

            def both():
                send(KEYS)
                time.sleep(0.3)
                return len(second.shards()) == 2

            until(both, 30, lambda: "the second member has two shards; it has %s" % second.seen)
            until(
                lambda: first.numbers() | second.numbers() == set(sent),
                20,
                lambda: "all of %s logs; missing %s" % (len(sent), set(sent) - first.numbers() - second.numbers()),
            )

        @case("consumer-failover")
        def _():
            if second is None:
                raise AssertionError("there is no second member")
            lost = second.shards()
            ends = {shard: cursor_of(store, shard, "end") for shard in lost}
            until(
                lambda: all(checkpoints()[shard] == end for shard, end in ends.items()),
                20,
                lambda: "the second member has saved %s; they are %s" % (ends, checkpoints()),
            )
            second.kill()
            processed = {n for _, n in second.seen}
            before = len(first.seen)
            taken = len(sent)
            send(KEYS * 2)
            until(
                lambda: set(sent[taken:]) <= first.numbers(),
                25,
                lambda: "the first member reads on; it has %s" % first.seen[before:],
            )
            again = {n for shard, n in first.seen[before:] if n in processed and shard in lost}
            if again:
                raise AssertionError("read again behind the checkpoint: %s" % again)

        @case("consumer-split")
        def _():
            taken = len(sent)
            send(KEYS)
            client.split_shard(project, store, 0, "")
            send(["10", "30"] * 2)
            until(
                lambda: set(sent[taken:]) <= first.numbers() and {4, 5} <= first.shards(),
                30,
                lambda: "the children are read; of %s logs missing %s" % (len(sent), set(sent) - first.numbers()),
            )

    finally:
        first.stop()
        if second is not None:
            second.kill()
