package interop;

import com.aliyun.openservices.log.common.Shard;
import com.aliyun.openservices.log.request.SplitShardRequest;
import com.aliyun.openservices.log.response.ListShardResponse;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

final class ShardCases {
    private static final String EIGHTH = "2" + "0".repeat(31);
    private static final String QUARTER = "4" + "0".repeat(31);
    private static final String HALF = "8" + "0".repeat(31);

    private ShardCases() {}

    static void add(Map<String, Main.Probe> cases) {
        cases.put("list-shards", t -> {
            List<Shard> shards = t.client.ListShard(t.project, t.logstore(3)).GetShards();
            Try.equal("shards", shards.size(), 3);
            String border = Data.LOWEST;
            for (int id = 0; id < 3; id++) {
                Shard shard = shards.get(id);
                Try.equal("id", shard.getShardId(), id);
                Try.equal("status", shard.getStatus(), "readwrite");
                Try.equal("begin key", shard.getInclusiveBeginKey(), border);
                Try.recent("time of the shard", shard.getCreateTime());
                border = shard.getExclusiveEndKey();
            }
            Try.equal("last end key", border, Data.HIGHEST);
        });
        cases.put("split", t -> {
            String store = t.logstore(2);
            Try.equal("answer", shape(t.client.SplitShard(t.project, store, 0, "")), List.of(
                    "0 readonly " + Data.LOWEST + "-" + HALF,
                    "2 readwrite " + Data.LOWEST + "-" + QUARTER,
                    "3 readwrite " + QUARTER + "-" + HALF));
            Try.equal("shards in the list", shape(t.client.ListShard(t.project, store)).size(), 4);
            Try.refused(400, "ParameterInvalid", () -> t.client.SplitShard(t.project, store, 0, ""));
        });
        cases.put("split-at-key", t -> {
            String store = t.logstore(2);
            Try.equal("answer", shape(t.client.SplitShard(t.project, store, 0, EIGHTH)), List.of(
                    "0 readonly " + Data.LOWEST + "-" + HALF,
                    "2 readwrite " + Data.LOWEST + "-" + EIGHTH,
                    "3 readwrite " + EIGHTH + "-" + HALF));
            Try.refused(400, "ParameterInvalid", () -> t.client.SplitShard(t.project, store, 2, HALF));
        });
        cases.put("split-count", t -> {
            String store = t.logstore(1);
            List<Shard> shards = t.client.SplitShard(new SplitShardRequest(t.project, store, 0, 3)).GetShards();
            Try.equal("shards", shards.size(), 4);
            Try.equal("status of the old one", shards.get(0).getStatus(), "readonly");
            String border = Data.LOWEST;
            for (int id = 1; id < 4; id++) {
                Try.equal("id", shards.get(id).getShardId(), id);
                Try.equal("begin key", shards.get(id).getInclusiveBeginKey(), border);
                border = shards.get(id).getExclusiveEndKey();
            }
            Try.equal("last end key", border, Data.HIGHEST);
        });
        cases.put("merge", t -> {
            String store = t.logstore(2);
            Try.equal("answer", shape(t.client.MergeShards(t.project, store, 0)), List.of(
                    "2 readwrite " + Data.LOWEST + "-" + Data.HIGHEST,
                    "0 readonly " + Data.LOWEST + "-" + HALF,
                    "1 readonly " + HALF + "-" + Data.HIGHEST));
            Try.refused(400, "ParameterInvalid", () -> t.client.MergeShards(t.project, store, 2));
        });
        cases.put("read-only-readable", t -> {
            String store = t.logstore(1);
            t.put(store, 0, 3);
            t.client.SplitShard(t.project, store, 0, "");
            t.put(store, 3, 6);
            Try.equal("numbers of the old shard", Data.numbers(t.all(store, 0)), Data.range(0, 3));
            Try.equal("numbers of all", Data.sorted(Data.numbers(t.everywhere(store))), Data.range(0, 6));
        });
        cases.put("read-only-end", t -> {
            String store = t.logstore(1);
            t.put(store, 0, 3);
            String before = t.end(store, 0);
            t.client.SplitShard(t.project, store, 0, "");
            t.put(store, 3, 6);
            Try.equal("end cursor", t.end(store, 0), before);
            Try.equal("where reading ends", t.pull(store, 0, t.begin(store, 0), null, 10).getNextCursor(), before);
            Try.equal("end cursor, asked again", t.end(store, 0), before);
        });
    }

    /** Shards as `0 readonly 000…-800…`. */
    private static List<String> shape(ListShardResponse answer) {
        List<String> lines = new ArrayList<>();
        for (Shard shard : answer.GetShards()) {
            String range = shard.getInclusiveBeginKey() + "-" + shard.getExclusiveEndKey();
            lines.add(shard.getShardId() + " " + shard.getStatus() + " " + range);
        }
        return lines;
    }
}
