package interop;

import com.aliyun.openservices.log.common.Consts;
import com.aliyun.openservices.log.common.FastLogGroup;
import com.aliyun.openservices.log.common.LogGroup;
import com.aliyun.openservices.log.common.LogItem;
import com.aliyun.openservices.log.request.PullLogsRequest;
import com.aliyun.openservices.log.request.PutLogsRequest;
import com.aliyun.openservices.log.response.BatchGetLogResponse;
import com.aliyun.openservices.log.response.PullLogsResponse;
import java.util.List;
import java.util.Map;

final class ReadCases {
    private ReadCases() {}

    static void add(Map<String, Main.Probe> cases) {
        cases.put("count-groups", t -> {
            String store = t.logstore(2);
            t.put(store, 0, 25);
            List<FastLogGroup> groups = t.everywhere(store);
            Try.equal("groups", groups.size(), 25);
            Try.equal("numbers", Data.sorted(Data.numbers(groups)), Data.range(0, 25));
        });
        cases.put("cursors-dense", t -> {
            String store = t.logstore(1);
            t.put(store, 0, 6);
            String cursor = t.begin(store, 0);
            for (int i = 0; i < 6; i++) {
                PullLogsResponse answer = t.pull(store, 0, cursor, null, 1);
                Try.equal("groups", answer.getCount(), 1);
                Try.equal("step", Try.number(answer.getNextCursor()) - Try.number(cursor), 1L);
                Try.equal("cursor of the last group", answer.getReadLastCursor(), Long.toString(Try.number(cursor)));
                cursor = answer.getNextCursor();
            }
            Try.equal("end", cursor, t.end(store, 0));
        });
        cases.put("cursor-begin", t -> {
            String store = t.logstore(1);
            t.put(store, 0, 3);
            Try.equal("numbers", Data.numbers(Try.groupsOf(t.pull(store, 0, t.begin(store, 0), null, 1))), List.of(0));
        });
        cases.put("cursor-end", t -> {
            String store = t.logstore(1);
            t.put(store, 0, 1);
            String end = t.end(store, 0);
            PullLogsResponse empty = t.pull(store, 0, end, null, 10);
            Try.equal("groups", empty.getCount(), 0);
            Try.equal("next cursor", empty.getNextCursor(), end);
            t.put(store, 1, 2);
            Try.equal("numbers", Data.numbers(Try.groupsOf(t.pull(store, 0, end, null, 10))), List.of(1));
        });
        cases.put("cursor-by-time", t -> {
            String store = t.logstore(1);
            t.put(store, 0, 2);
            long now = System.currentTimeMillis() / 1000;
            String past = t.client.GetCursor(t.project, store, 0, now - 3600).GetCursor();
            Try.equal("cursor of the past", past, t.begin(store, 0));
            String future = t.client.GetCursor(t.project, store, 0, now + 3600).GetCursor();
            Try.equal("cursor of the future", future, t.end(store, 0));
        });
        cases.put("cursor-time", t -> {
            String store = t.logstore(1);
            t.put(store, 0, 1);
            Try.recent("time of begin", t.client.GetCursorTime(t.project, store, 0, t.begin(store, 0)).GetCursorTime());
            Try.recent("time of end", t.client.GetCursorTime(t.project, store, 0, t.end(store, 0)).GetCursorTime());
        });
        cases.put("previous-cursor-time", t -> {
            String store = t.logstore(1);
            t.put(store, 0, 1);
            Try.recent("time of the last put",
                    t.client.GetPrevCursorTime(t.project, store, 0, t.end(store, 0)).GetCursorTime());
        });
        cases.put("end-cursor", t -> {
            String store = t.logstore(1);
            t.put(store, 0, 5);
            String begin = t.begin(store, 0);
            String bound = Try.cursorOf(Try.number(begin) + 3);
            PullLogsResponse answer = t.pull(store, 0, begin, bound, 10);
            Try.equal("numbers", Data.numbers(Try.groupsOf(answer)), List.of(0, 1, 2));
            Try.equal("next cursor", answer.getNextCursor(), bound);
            PullLogsResponse rest = t.pull(store, 0, bound, bound, 10);
            Try.equal("groups at the bound", rest.getCount(), 0);
            Try.equal("next cursor at the bound", rest.getNextCursor(), bound);
        });
        cases.put("pull-lz4", pullWith(Consts.CompressType.LZ4));
        cases.put("pull-zstd", pullWith(Consts.CompressType.ZSTD));
        cases.put("pull-empty", t -> {
            String store = t.logstore(1);
            String end = t.end(store, 0);
            for (Consts.CompressType codec : List.of(Consts.CompressType.LZ4, Consts.CompressType.ZSTD)) {
                PullLogsRequest request = new PullLogsRequest(t.project, store, 0, 10, end);
                request.setCompressType(codec);
                PullLogsResponse answer = t.client.pullLogs(request);
                Try.equal("groups", answer.getCount(), 0);
                Try.equal("raw size", answer.getRawSize(), 0);
                Try.equal("next cursor", answer.getNextCursor(), end);
                Try.holds(answer.isEndOfCursor(), "x-log-end-of-cursor is not 1");
            }
            BatchGetLogResponse batch = t.client.BatchGetLog(t.project, store, 0, 10, end);
            Try.equal("groups of BatchGetLog", batch.GetCount(), 0);
            Try.equal("next cursor of BatchGetLog", batch.GetNextCursor(), end);
        });
        cases.put("pull-count", t -> {
            String store = t.logstore(1);
            t.put(store, 0, 5);
            PullLogsResponse answer = t.pull(store, 0, t.begin(store, 0), null, 3);
            Try.equal("numbers", Data.numbers(Try.groupsOf(answer)), List.of(0, 1, 2));
            Try.holds(!answer.isEndOfCursor(), "x-log-end-of-cursor is 1 before the end");
        });
        cases.put("pull-query", t -> {
            String store = t.logstore(1);
            List<LogItem> items = Data.many(4).getLogItems();
            t.client.PutLogs(new PutLogsRequest(t.project, store, "topic-1", "127.0.0.1", items, null));
            t.put(store, 7, 8);
            t.put(store, 2, 3);
            PullLogsRequest request = new PullLogsRequest(t.project, store, 0, 10, t.begin(store, 0));
            request.setQuery("n: 2 or n: 3");
            PullLogsResponse answer = t.client.pullLogs(request);
            Try.equal("numbers", Data.numbers(Try.groupsOf(answer)), List.of(2, 3, 2));
            Try.equal("next cursor", answer.getNextCursor(), t.end(store, 0));
        });
    }

    private static Main.Probe pullWith(Consts.CompressType codec) {
        return t -> {
            String store = t.logstore(1);
            List<LogGroup> sent = List.of(Data.group(Data.log(0)), Data.many(300), Data.noise(70_000));
            for (LogGroup group : sent) {
                t.client.PutLogs(new PutLogsRequest(t.project, store, "topic-1", "127.0.0.1", group.getLogItems(), null));
            }
            PullLogsRequest request = new PullLogsRequest(t.project, store, 0, 100, t.begin(store, 0));
            request.setCompressType(codec);
            PullLogsResponse answer = t.client.pullLogs(request);
            List<FastLogGroup> groups = Try.groupsOf(answer);
            Try.equal("groups", groups.size(), sent.size());
            for (int i = 0; i < sent.size(); i++) {
                Try.equal("the group", Data.text(groups.get(i)), Data.text(sent.get(i)));
            }
            Try.equal("next cursor", answer.getNextCursor(), t.end(store, 0));
            Try.recent("time of the last group", answer.getCursorTime());
            Try.holds(answer.isEndOfCursor(), "x-log-end-of-cursor is not 1");
        };
    }
}
