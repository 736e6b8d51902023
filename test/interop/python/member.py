"""One member of a consumer group: prints [shard, n] for each log and saves its checkpoint after each batch."""

import json
import logging
import signal
import sys
import threading

from driver import ENDPOINT, KEY

from aliyun.log.consumer import ConsumerProcessorBase, ConsumerWorker, CursorPosition, LogHubConfig

logging.basicConfig(stream=sys.stderr, level=logging.WARNING)


# Shards are processed by several threads, and a line must stay one.
lock = threading.Lock()


def say(line):
    with lock:
        sys.stdout.write(json.dumps(line) + "\n")
        sys.stdout.flush()


class Printer(ConsumerProcessorBase):
    def process(self, log_groups, check_point_tracker):
        for group in log_groups.LogGroups:
            for log in group.Logs:
                for content in log.Contents:
                    say([self.shard_id, content.Value])
        self.save_checkpoint(check_point_tracker, force=True)


def main(project, store, group, name, version, codec):
    config = LogHubConfig(
        ENDPOINT,
        KEY[0],
        KEY[1],
        project,
        store,
        group,
        name,
        cursor_position=CursorPosition.BEGIN_CURSOR,
        heartbeat_interval=2,
        data_fetch_interval=0.2,
        worker_pool_size=4,
        auth_version=version,
        region="cn-hangzhou",
        accept_compress_type=codec,
    )
    worker = ConsumerWorker(Printer, config)
    signal.signal(signal.SIGTERM, lambda *_: worker.shutdown())
    worker.start(join=True)


main(*sys.argv[1:])
