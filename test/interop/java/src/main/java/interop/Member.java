package interop;

import com.aliyun.openservices.log.common.FastLogGroup;
import com.aliyun.openservices.log.common.LogGroupData;
import com.aliyun.openservices.loghub.client.ClientWorker;
import com.aliyun.openservices.loghub.client.ILogHubCheckPointTracker;
import com.aliyun.openservices.loghub.client.config.LogHubConfig;
import com.aliyun.openservices.loghub.client.exceptions.LogHubCheckPointException;
import com.aliyun.openservices.loghub.client.exceptions.LogHubClientWorkerException;
import com.aliyun.openservices.loghub.client.interfaces.ILogHubProcessor;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentSkipListSet;
import java.util.function.IntConsumer;

/** One worker of the consumer library. It commits after every batch. */
final class Member {
    private final Set<Integer> read = new ConcurrentSkipListSet<>();
    private final Set<Integer> shards = new ConcurrentSkipListSet<>();
    private final ClientWorker worker;

    Member(Environment env, String store, String name, boolean inOrder, IntConsumer onNumber)
            throws LogHubClientWorkerException {
        LogHubConfig config = new LogHubConfig(GroupCases.GROUP, name, env.endpoint, env.project, store, env.key,
                env.secret, LogHubConfig.ConsumePosition.BEGIN_CURSOR);
        config.setHeartBeatIntervalMillis(1000);
        config.setTimeoutInSeconds(4);
        config.setFetchIntervalMillis(100);
        config.setConsumeInOrder(inOrder);
        // One of the members has a token.
        if (inOrder) config.setStsToken(env.stsToken);
        worker = new ClientWorker(() -> new Processor(onNumber), config);
        Addressing.background(worker);
    }

    /** The numbers it has read. */
    Set<Integer> read() {
        return new TreeSet<>(read);
    }

    /** The shards it has read from since they were forgotten. */
    List<Integer> shards() {
        return new ArrayList<>(shards);
    }

    void forgetShards() {
        shards.clear();
    }

    void shutdown() {
        worker.shutdown();
    }

    private final class Processor implements ILogHubProcessor {
        private final IntConsumer onNumber;
        private int shard;

        Processor(IntConsumer onNumber) {
            this.onNumber = onNumber;
        }

        @Override
        public void initialize(int shardId) {
            shard = shardId;
        }

        @Override
        public String process(List<LogGroupData> groups, ILogHubCheckPointTracker tracker) {
            List<FastLogGroup> fast = new ArrayList<>();
            for (LogGroupData group : groups) fast.add(group.GetFastLogGroup());
            for (int number : Data.numbers(fast)) {
                read.add(number);
                shards.add(shard);
                onNumber.accept(number);
            }
            try {
                tracker.saveCheckPoint(true);
            } catch (LogHubCheckPointException refused) {
                System.err.println("checkpoint of shard " + shard + ": " + refused);
            }
            return null;
        }

        @Override
        public void shutdown(ILogHubCheckPointTracker tracker) {}
    }

    /** A member as a process of its own, to be killed: logstore and name as arguments, a line for every number read. */
    public static void main(String[] arguments) throws Exception {
        Environment env = new Environment();
        Addressing.install(env);
        new Member(env, arguments[0], arguments[1], false, System.out::println);
        // Ends with the program that started it, should that one not kill it.
        while (System.in.read() >= 0) continue;
        Runtime.getRuntime().halt(0);
    }
}
