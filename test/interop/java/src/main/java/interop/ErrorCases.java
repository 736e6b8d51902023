package interop;

import com.aliyun.openservices.log.exception.LogException;
import java.util.List;
import java.util.Map;

final class ErrorCases {
    private ErrorCases() {}

    static void add(Map<String, Main.Probe> cases) {
        cases.put("unknown-project", t -> {
            LogException refusal =
                    Try.refused(404, "ProjectNotExist", () -> t.client.GetLogStore(t.project + "-none", "app-log"));
            Try.equal("message", refusal.GetErrorMessage(), "The Project does not exist: " + t.project + "-none");
        });
        cases.put("unknown-logstore", t -> {
            LogException refusal = Try.refused(404, "LogStoreNotExist", () -> t.client.ListShard(t.project, "none"));
            Try.equal("message", refusal.GetErrorMessage(), "logstore none does not exist");
            Try.refused(404, "LogStoreNotExist", () -> t.put("none", 0, 1));
        });
        cases.put("unknown-shard", t -> {
            String store = t.logstore(1);
            Try.refused(400, "ShardNotExist", () -> t.begin(store, 99));
            Try.refused(400, "ShardNotExist", () -> t.pull(store, 99, Try.cursorOf(1772510706000000000L), null, 1));
        });
        cases.put("unknown-group", t -> {
            String store = t.logstore(1);
            Try.refused(404, "ConsumerGroupNotExist", () -> t.client.GetCheckPoint(t.project, store, "nobody"));
            Try.refused(404, "ConsumerGroupNotExist",
                    () -> t.client.HeartBeat(t.project, store, "nobody", "c1", List.of()));
        });
        cases.put("bad-cursor", t -> {
            String store = t.logstore(1);
            String cut = t.begin(store, 0).substring(10);
            Try.refused(400, "ParameterInvalid", () -> t.pull(store, 0, cut, null, 1));
        });
        cases.put("cursor-out-of-range", t -> {
            String store = t.logstore(1);
            long end = Try.number(t.end(store, 0));
            Try.refused(400, "InvalidCursor", () -> t.pull(store, 0, Try.cursorOf(end + 10), null, 1));
            Try.refused(400, "InvalidCursor",
                    () -> t.client.GetCursorTime(t.project, store, 0, Try.cursorOf(end - 10)));
        });
        cases.put("error-parts", t -> {
            LogException refusal = Try.refused(404, "LogStoreNotExist", () -> t.client.GetLogStore(t.project, "none"));
            Try.holds(!refusal.GetErrorMessage().isEmpty(), "no message");
            Try.equal("length of the request id", refusal.GetRequestId().length(), 24);
        });
    }
}
