package interop;

import com.aliyun.openservices.log.common.ConsumerGroup;
import com.aliyun.openservices.log.common.ConsumerGroupShardCheckPoint;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

final class GroupCases {
    static final String GROUP = "g1";

    private GroupCases() {}

    static void add(Map<String, Main.Probe> cases) {
        cases.put("group-create", t -> {
            String store = withGroup(t, 1, 60, false);
            Try.equal("groups", groups(t, store), List.of("g1 60 false"));
        });
        cases.put("group-create-twice", t -> {
            String store = withGroup(t, 1, 60, false);
            Try.refused(400, "ConsumerGroupAlreadyExist",
                    () -> t.client.CreateConsumerGroup(t.project, store, new ConsumerGroup(GROUP, 60, false)));
        });
        cases.put("group-update", t -> {
            String store = withGroup(t, 1, 60, false);
            t.client.UpdateConsumerGroup(t.project, store, GROUP, true, 40);
            Try.equal("groups", groups(t, store), List.of("g1 40 true"));
            t.client.UpdateConsumerGroup(t.project, store, GROUP, 41);
            Try.equal("groups after the timeout alone", groups(t, store), List.of("g1 41 true"));
            t.client.UpdateConsumerGroup(t.project, store, GROUP, false);
            Try.equal("groups after the order alone", groups(t, store), List.of("g1 41 false"));
        });
        cases.put("group-list", t -> Try.equal("groups", groups(t, withGroup(t, 1, 61, true)), List.of("g1 61 true")));
        cases.put("group-delete", t -> {
            String store = withGroup(t, 1, 60, false);
            t.client.DeleteConsumerGroup(t.project, store, GROUP);
            Try.equal("groups", groups(t, store), List.of());
        });
        cases.put("heartbeat", t -> {
            String store = withGroup(t, 3, 60, false);
            Try.equal("shards of the first heartbeat", beat(t, store, "c 1"), List.of(0, 1, 2));
            Try.equal("shards after a restart", beat(t, store, "c 1"), List.of(0, 1, 2));
            Try.equal("shards of the next heartbeat", beat(t, store, "c 1", 0, 1, 2), List.of(0, 1, 2));
        });
        cases.put("heartbeat-transfer", t -> {
            String store = withGroup(t, 4, 60, false);
            Try.equal("shards of c1, alone", beat(t, store, "c1"), List.of(0, 1, 2, 3));
            Try.equal("shards of c2, new", beat(t, store, "c2"), List.of());
            List<Integer> kept = beat(t, store, "c1", 0, 1, 2, 3);
            Try.equal("number of shards that c1 keeps", kept.size(), 2);
            Try.equal("shards of c2 while c1 still lists them", beat(t, store, "c2"), List.of());
            Try.equal("shards of c1, listing what it keeps", beat(t, store, "c1", kept.toArray(new Integer[0])), kept);
            List<Integer> both = new ArrayList<>(kept);
            both.addAll(beat(t, store, "c2"));
            Try.equal("shards of both", Data.sorted(both), List.of(0, 1, 2, 3));
        });
        cases.put("heartbeat-order", t -> {
            String store = withGroup(t, 1, 60, true);
            t.put(store, 0, 3);
            Try.equal("shards", beat(t, store, "c1"), List.of(0));
            t.client.SplitShard(t.project, store, 0, "");
            Try.equal("shards before the parent is read", beat(t, store, "c1", 0), List.of(0));
            String end = t.end(store, 0);
            t.client.UpdateCheckPoint(t.project, store, GROUP, "c1", 0, Try.cursorOf(Try.number(end) - 1));
            Try.equal("shards when one is left to read", beat(t, store, "c1", 0), List.of(0));
            t.client.UpdateCheckPoint(t.project, store, GROUP, "c1", 0, end);
            Try.until("the children", Duration.ofSeconds(5), () -> beat(t, store, "c1").equals(List.of(1, 2)));
        });
        cases.put("checkpoint-empty", t -> {
            String store = withGroup(t, 3, 60, false);
            List<ConsumerGroupShardCheckPoint> checkpoints = checkpoints(t, store);
            Try.equal("checkpoints", checkpoints.size(), 3);
            for (int shard = 0; shard < 3; shard++) {
                Try.equal("shard", checkpoints.get(shard).getShard(), shard);
                Try.equal("checkpoint", checkpoints.get(shard).getCheckPoint(), "");
            }
        });
        cases.put("checkpoint-set", t -> {
            // Forced checkpoints of this SDK name no consumer.
            String store = withGroup(t, 2, 60, false);
            String cursor = t.begin(store, 1);
            t.client.UpdateCheckPoint(t.project, store, GROUP, 1, cursor);
            List<ConsumerGroupShardCheckPoint> checkpoints = checkpoints(t, store);
            Try.equal("checkpoints", checkpoints.size(), 2);
            Try.equal("the other checkpoint", checkpoints.get(0).getCheckPoint(), "");
            Try.equal("shard", checkpoints.get(1).getShard(), 1);
            Try.equal("checkpoint", checkpoints.get(1).getCheckPoint(), cursor);
            Try.equal("consumer", checkpoints.get(1).getConsumer(), "");
            Try.recent("time of the checkpoint", checkpoints.get(1).getUpdateTime() / 1_000_000);
        });
        cases.put("checkpoint-one-shard", t -> {
            String store = withGroup(t, 3, 60, false);
            String cursor = t.begin(store, 2);
            t.client.UpdateCheckPoint(t.project, store, GROUP, 2, cursor);
            ConsumerGroupShardCheckPoint one = t.client.getCheckpoint(t.project, store, GROUP, 2).getCheckpoint();
            Try.equal("shard", one.getShard(), 2);
            Try.equal("checkpoint", one.getCheckPoint(), cursor);
            ConsumerGroupShardCheckPoint other = t.client.getCheckpoint(t.project, store, GROUP, 0).getCheckpoint();
            Try.equal("the other checkpoint", other.getCheckPoint(), "");
            Try.equal("checkpoints", t.client.GetCheckPoint(t.project, store, GROUP, 2).getCheckPoints().size(), 1);
        });
        cases.put("checkpoint-of-owner", t -> {
            String store = withGroup(t, 1, 60, false);
            String cursor = t.begin(store, 0);
            Try.equal("shards of c1", beat(t, store, "c1"), List.of(0));
            Try.equal("shards of c2", beat(t, store, "c2"), List.of());
            t.client.UpdateCheckPoint(t.project, store, GROUP, "c1", 0, cursor);
            Try.equal("consumer", checkpoints(t, store).get(0).getConsumer(), "c1");
            Try.refused(400, "ConsumerNotMatch", () -> t.client.UpdateCheckPoint(t.project, store, GROUP, "c2", 0, cursor));
            Try.refused(400, "ConsumerNotExist", () -> t.client.UpdateCheckPoint(t.project, store, GROUP, "c3", 0, cursor));
        });
    }

    /** The one that waits for the timeout of a group. */
    static void addSlow(Map<String, Main.Probe> cases) {
        cases.put("heartbeat-expiry", t -> {
            String store = withGroup(t, 2, 3, false);
            long began = System.nanoTime();
            Try.equal("shards of c1", beat(t, store, "c1"), List.of(0, 1));
            Try.equal("shards of c2", beat(t, store, "c2"), List.of());
            Try.until("all shards of c2", Duration.ofSeconds(15), () -> {
                Thread.sleep(200);
                return beat(t, store, "c2").equals(List.of(0, 1));
            });
            Try.holds(System.nanoTime() - began > 2_900_000_000L, "c2 had all shards before the timeout");
        });
    }

    private static String withGroup(Try t, int shards, int timeout, boolean inOrder) throws Exception {
        String store = t.logstore(shards);
        t.client.CreateConsumerGroup(t.project, store, new ConsumerGroup(GROUP, timeout, inOrder));
        return store;
    }

    private static List<String> groups(Try t, String store) throws Exception {
        List<String> lines = new ArrayList<>();
        for (ConsumerGroup group : t.client.ListConsumerGroup(t.project, store).GetConsumerGroups()) {
            lines.add(group.getConsumerGroupName() + " " + group.getTimeout() + " " + group.isInOrder());
        }
        return lines;
    }

    private static List<Integer> beat(Try t, String store, String consumer, Integer... listed) throws Exception {
        return Data.sorted(t.client.HeartBeat(t.project, store, GROUP, consumer, List.of(listed)).getShards());
    }

    static List<ConsumerGroupShardCheckPoint> checkpoints(Try t, String store) throws Exception {
        return t.client.GetCheckPoint(t.project, store, GROUP).getCheckPoints();
    }
}
