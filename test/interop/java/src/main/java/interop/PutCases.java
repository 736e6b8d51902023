package interop;

import com.aliyun.openservices.log.common.Consts;
import com.aliyun.openservices.log.common.FastLogGroup;
import com.aliyun.openservices.log.common.LogGroup;
import com.aliyun.openservices.log.common.LogItem;
import com.aliyun.openservices.log.common.Logs;
import com.aliyun.openservices.log.common.TagContent;
import com.aliyun.openservices.log.request.BatchPutLogsRequest;
import com.aliyun.openservices.log.request.PutLogsRequest;
import com.google.protobuf.ByteString;
import java.util.Arrays;
import java.util.List;
import java.util.Map;

final class PutCases {
    private static final String PROTOBUF = "application/x-protobuf";
    private static final String JSON = "application/json";

    private PutCases() {}

    static void add(Map<String, Main.Probe> cases) {
        cases.put("put-lb-lz4", putLb(PROTOBUF, Consts.CompressType.LZ4));
        cases.put("put-lb-zstd", putLb(PROTOBUF, Consts.CompressType.ZSTD));
        cases.put("put-lb-deflate", putLb(PROTOBUF, Consts.CompressType.GZIP));
        cases.put("put-lb-identity", putLb(PROTOBUF, Consts.CompressType.NONE));
        cases.put("put-route-lz4", putRoute(Consts.CompressType.LZ4));
        cases.put("put-route-zstd", putRoute(Consts.CompressType.ZSTD));
        cases.put("put-route-deflate", putRoute(Consts.CompressType.GZIP));
        cases.put("put-route-identity", putRoute(Consts.CompressType.NONE));
        cases.put("put-json-lz4", putLb(JSON, Consts.CompressType.LZ4));
        cases.put("put-json-deflate", putLb(JSON, Consts.CompressType.GZIP));
        cases.put("put-json-identity", putLb(JSON, Consts.CompressType.NONE));
        cases.put("put-batch-lz4", putBatch(Consts.CompressType.LZ4));
        cases.put("put-batch-zstd", putBatch(Consts.CompressType.ZSTD));
        cases.put("put-tags", t -> {
            String store = t.logstore(1);
            LogItem item = Data.log(0);
            item.SetTimeNsPart(123_456_789);
            List<TagContent> tags = List.of(new TagContent("host", "h1"), new TagContent("empty", ""));
            LogGroup sent = new LogGroup(Try.items(item), tags, "topic ü", "10.0.0.1");
            send(t, store, PROTOBUF, Consts.CompressType.LZ4, sent, null);
            send(t, store, JSON, Consts.CompressType.LZ4, sent, null);
            List<FastLogGroup> groups = t.all(store, 0);
            Try.equal("groups", groups.size(), 2);
            Try.equal("nanoseconds", groups.get(0).getLogs(0).getTimeNsPart(), 123_456_789);
            Try.equal("the group", Data.text(groups.get(0)), Data.text(sent));
            Try.equal("the group sent as JSON", inOrder(Data.text(groups.get(1))), inOrder(Data.text(sent)));
        });
        cases.put("put-bytes", t -> {
            // Strings of Java cannot hold the value, so the group is built from bytes and sent as such.
            String store = t.logstore(1);
            byte[] value = {0, 1, (byte) 0x80, (byte) 0xff, (byte) 0xfe, (byte) 0xc0, (byte) 0xaf};
            Logs.Log.Content.Builder content =
                    Logs.Log.Content.newBuilder().setKey("raw").setValueBytes(ByteString.copyFrom(value));
            Logs.LogGroup group = Logs.LogGroup.newBuilder()
                    .setTopic("t").setSource("s").addLogs(Logs.Log.newBuilder().setTime(1).addContents(content)).build();
            t.client.PutLogs(t.project, store, group.toByteArray(), "lz4", null);
            FastLogGroup read = t.all(store, 0).get(0);
            Try.equal("value", Arrays.toString(read.getLogs(0).getContents(0).getValueBytes()), Arrays.toString(value));
            Try.equal("the group", Arrays.toString(read.getBytes()), Arrays.toString(group.toByteArray()));
        });
    }

    private static void send(Try t, String store, String type, Consts.CompressType codec, LogGroup group, String key)
            throws Exception {
        PutLogsRequest request =
                new PutLogsRequest(t.project, store, group.getTopic(), group.getSource(), group.getLogItems(), key);
        request.SetTags(group.getLogTags());
        request.setContentType(type);
        request.setCompressType(codec);
        t.client.PutLogs(request);
    }

    private static Main.Probe putLb(String type, Consts.CompressType codec) {
        return t -> {
            String store = t.logstore(1);
            List<LogGroup> sent = List.of(Data.group(Data.log(0)), Data.many(500), Data.noise(70_000));
            for (LogGroup group : sent) send(t, store, type, codec, group, null);
            List<FastLogGroup> groups = t.all(store, 0);
            Try.equal("groups", groups.size(), sent.size());
            for (int i = 0; i < sent.size(); i++) {
                String got = Data.text(groups.get(i));
                String want = Data.text(sent.get(i));
                if (type.equals(JSON)) Try.equal("the group", inOrder(got), inOrder(want));
                else Try.equal("the group", got, want);
            }
        };
    }

    /** Sorts the fields of each log: the SDK writes them to JSON in the order of a hash map. */
    private static String inOrder(String text) {
        StringBuilder sorted = new StringBuilder();
        for (String line : text.split("\n")) {
            String[] fields = line.split("\\|");
            Arrays.sort(fields);
            sorted.append(String.join("|", fields)).append("\n");
        }
        return sorted.toString();
    }

    private static Main.Probe putRoute(Consts.CompressType codec) {
        return t -> {
            String store = t.logstore(4);
            for (int shard = 0; shard < 4; shard++) {
                send(t, store, PROTOBUF, codec, Data.group(Data.log(shard)), Data.SHARD_KEYS.get(shard));
            }
            for (int shard = 0; shard < 4; shard++) {
                List<FastLogGroup> groups = t.all(store, shard);
                Try.equal("groups of the shard", groups.size(), 1);
                Try.equal("the group", Data.text(groups.get(0)), Data.text(Data.group(Data.log(shard))));
            }
        };
    }

    /** One batch by load balancing, and one to the shard of a key. */
    private static Main.Probe putBatch(Consts.CompressType codec) {
        return t -> {
            String store = t.logstore(4);
            List<LogGroup> sent = List.of(Data.group(Data.log(0)), Data.many(20), Data.noise(2_000));
            BatchPutLogsRequest routed = new BatchPutLogsRequest(t.project, store, sent, Data.HIGHEST);
            routed.setCompressType(codec);
            t.client.batchPutLogs(routed);
            List<FastLogGroup> groups = t.all(store, 3);
            Try.equal("groups of the shard", groups.size(), sent.size());
            for (int i = 0; i < sent.size(); i++) {
                Try.equal("the group", Data.text(groups.get(i)), Data.text(sent.get(i)));
            }
            BatchPutLogsRequest balanced = new BatchPutLogsRequest(t.project, store, sent, null);
            balanced.setCompressType(codec);
            t.client.batchPutLogs(balanced);
            Try.equal("groups of all", t.everywhere(store).size(), 2 * sent.size());
        };
    }
}
