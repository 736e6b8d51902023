package interop;

import com.aliyun.openservices.aliyun.log.producer.LogProducer;
import com.aliyun.openservices.aliyun.log.producer.ProducerConfig;
import com.aliyun.openservices.aliyun.log.producer.ProjectConfig;
import com.aliyun.openservices.aliyun.log.producer.Result;
import com.aliyun.openservices.log.common.ConsumerGroupShardCheckPoint;
import com.aliyun.openservices.log.common.FastLogGroup;
import com.aliyun.openservices.log.common.FastLogTag;
import com.aliyun.openservices.log.http.signer.SignVersion;
import com.google.common.util.concurrent.ListenableFuture;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentSkipListSet;

/** The consumer library and the producer. */
final class LibraryCases {
    private static final Duration LIMIT = Duration.ofSeconds(40);

    private LibraryCases() {}

    static void add(Map<String, Main.Probe> cases) {
        cases.put("consumer-two-members", LibraryCases::twoMembers);
        cases.put("consumer-failover", LibraryCases::failover);
        cases.put("consumer-split", LibraryCases::split);
        cases.put("put-producer", LibraryCases::produce);
        cases.put("put-producer-hash", LibraryCases::produceByHash);
    }

    private static void twoMembers(Try t) throws Exception {
        String store = t.logstore(4);
        Member first = new Member(t.env, store, "first", false, n -> {});
        Member second = new Member(t.env, store, "second", false, n -> {});
        int[] sent = {0};
        Try.until("two shards for each member", LIMIT, () -> {
            first.forgetShards();
            second.forgetShards();
            fill(t, store, sent[0], sent[0] + 8);
            sent[0] += 8;
            Try.until("all logs", LIMIT, () -> union(first.read(), second.read()).equals(set(0, sent[0])));
            List<Integer> both = first.shards();
            both.addAll(second.shards());
            return first.shards().size() == 2 && Data.sorted(both).equals(List.of(0, 1, 2, 3));
        });
        Try.until("checkpoints at the end", LIMIT, () -> committed(t, store));
        first.shutdown();
        second.shutdown();
    }

    private static void failover(Try t) throws Exception {
        String store = t.logstore(4);
        fill(t, store, 0, 20);
        Set<Integer> read = new ConcurrentSkipListSet<>();
        Process first = start(store, "first", read);
        try {
            Try.until("the first half, committed", LIMIT, () -> read.equals(set(0, 20)) && committed(t, store));
            Member second = new Member(t.env, store, "second", false, n -> {});
            first.destroyForcibly().waitFor();
            fill(t, store, 20, 40);
            Try.until("the second half", LIMIT, () -> second.read().containsAll(set(20, 40)));
            Try.equal("what the second read", second.read(), set(20, 40));
            second.shutdown();
        } finally {
            first.destroyForcibly();
        }
    }

    private static void split(Try t) throws Exception {
        String store = t.logstore(1);
        t.put(store, 0, 5);
        Member only = new Member(t.env, store, "only", true, n -> {});
        Try.until("the first logs", LIMIT, () -> only.read().equals(set(0, 5)));
        t.client.SplitShard(t.project, store, 0, "");
        t.putTo(store, Data.LOWEST, 5, 10);
        t.putTo(store, Data.HIGHEST, 10, 15);
        Try.until("the logs of the children", LIMIT, () -> only.read().equals(set(0, 15)));
        only.shutdown();
    }

    private static void produce(Try t) throws Exception {
        String store = t.logstore(2);
        for (ProducerConfig.LogFormat format : ProducerConfig.LogFormat.values()) {
            ProducerConfig config = producing();
            config.setLogFormat(format);
            int from = format.ordinal() * 500;
            List<ListenableFuture<Result>> sent = new ArrayList<>();
            LogProducer producer = producer(t, config);
            for (int n = from; n < from + 500; n++) {
                sent.add(producer.send(t.project, store, "topic-" + n % 3, "127.0.0.1", Data.log(n)));
            }
            producer.close();
            succeeded(sent);
        }
        List<FastLogGroup> groups = t.everywhere(store);
        int formats = ProducerConfig.LogFormat.values().length;
        Try.equal("numbers", Data.sorted(Data.numbers(groups)), Data.range(0, 500 * formats));
        for (FastLogGroup group : groups) {
            List<String> keys = new ArrayList<>();
            for (FastLogTag tag : group.getTags()) keys.add(tag.getKey());
            Try.equal("keys of the tags", keys, List.of("__pack_id__"));
        }
    }

    private static void produceByHash(Try t) throws Exception {
        String store = t.logstore(4);
        ProducerConfig config = producing();
        config.setAdjustShardHash(false);
        config.setCompressType("zstd");
        config.setSignVersion(SignVersion.V4);
        config.setRegion("cn-hangzhou");
        List<ListenableFuture<Result>> sent = new ArrayList<>();
        LogProducer producer = producer(t, config);
        for (int n = 0; n < 40; n++) {
            sent.add(producer.send(t.project, store, "topic", "source", Data.SHARD_KEYS.get(n % 4), Data.log(n)));
        }
        producer.close();
        // The adjusted hash of 127.0.0.1 begins with f4, which is in the last shard.
        LogProducer adjusting = producer(t, producing());
        sent.add(adjusting.send(t.project, store, "topic", "source", "127.0.0.1", Data.log(43)));
        adjusting.close();
        succeeded(sent);
        for (int shard = 0; shard < 4; shard++) {
            List<Integer> want = new ArrayList<>();
            for (int n = shard; n < 40; n += 4) want.add(n);
            if (shard == 3) want.add(43);
            Try.equal("numbers of the shard", Data.sorted(Data.numbers(t.all(store, shard))), want);
        }
    }

    private static ProducerConfig producing() {
        ProducerConfig config = new ProducerConfig();
        config.setLingerMs(200);
        config.setBatchCountThreshold(64);
        config.setIoThreadCount(2);
        config.setRetries(2);
        return config;
    }

    private static LogProducer producer(Try t, ProducerConfig config) {
        LogProducer producer = new LogProducer(config);
        ProjectConfig project = new ProjectConfig(t.project, t.env.endpoint, t.env.stsKey, t.env.stsSecret, t.env.stsToken);
        project.setProxyIp("127.0.0.1:" + t.env.port);
        producer.putProjectConfig(project);
        return producer;
    }

    private static void succeeded(List<ListenableFuture<Result>> sent) throws Exception {
        for (ListenableFuture<Result> one : sent) Try.holds(one.get().isSuccessful(), one.get().getErrorMessage());
    }

    /** Puts groups from..to, spread evenly over the four shards of a logstore. */
    private static void fill(Try t, String store, int from, int to) throws Exception {
        for (int n = from; n < to; n++) t.putTo(store, Data.SHARD_KEYS.get(n % 4), n, n + 1);
    }

    private static boolean committed(Try t, String store) throws Exception {
        for (ConsumerGroupShardCheckPoint checkpoint : GroupCases.checkpoints(t, store)) {
            if (!t.end(store, checkpoint.getShard()).equals(checkpoint.getCheckPoint())) return false;
        }
        return true;
    }

    private static Set<Integer> set(int from, int to) {
        return new TreeSet<>(Data.range(from, to));
    }

    private static Set<Integer> union(Set<Integer> some, Set<Integer> others) {
        Set<Integer> all = new TreeSet<>(some);
        all.addAll(others);
        return all;
    }

    private static Process start(String store, String name, Set<Integer> read) throws IOException {
        String java = Path.of(System.getProperty("java.home"), "bin", "java").toString();
        Process process = new ProcessBuilder(
                        java, "-cp", System.getProperty("java.class.path"), Member.class.getName(), store, name)
                .redirectError(ProcessBuilder.Redirect.INHERIT)
                .start();
        Addressing.background(() -> {
            try (BufferedReader lines = new BufferedReader(new InputStreamReader(process.getInputStream()))) {
                for (String line = lines.readLine(); line != null; line = lines.readLine()) read.add(Integer.valueOf(line));
            } catch (IOException ended) {
                System.err.println("the output of a member broke off: " + ended);
            }
        });
        return process;
    }
}
