package interop;

import com.aliyun.openservices.log.Client;
import com.aliyun.openservices.log.common.Consts;
import com.aliyun.openservices.log.common.FastLogGroup;
import com.aliyun.openservices.log.common.LogGroupData;
import com.aliyun.openservices.log.common.LogItem;
import com.aliyun.openservices.log.common.LogStore;
import com.aliyun.openservices.log.common.Shard;
import com.aliyun.openservices.log.exception.LogException;
import com.aliyun.openservices.log.http.client.ClientConfiguration;
import com.aliyun.openservices.log.http.signer.SignVersion;
import com.aliyun.openservices.log.request.PullLogsRequest;
import com.aliyun.openservices.log.request.PutLogsRequest;
import com.aliyun.openservices.log.response.PullLogsResponse;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.Callable;

/** One run of one case: its clients, its logstore, and the words to say what went wrong. */
final class Try {
    /** Something is not as it should be. */
    static final class Failure extends RuntimeException {
        private static final long serialVersionUID = 1;

        Failure(String message) {
            super(message);
        }
    }

    interface Call {
        void run() throws Exception;
    }

    final String id;
    final Environment env;
    final String project;
    /** Signs by version 1 and takes the service for its proxy. Shared by all cases. */
    final Client client;
    private static Client shared;

    Try(String id, Environment env) {
        this.id = id;
        this.env = env;
        this.project = env.project;
        this.client = sharedClient();
    }

    private Client sharedClient() {
        synchronized (Try.class) {
            if (shared == null) shared = new Client(env.endpoint, env.key, env.secret, proxied());
            return shared;
        }
    }

    static void fail(String message) {
        throw new Failure(message);
    }

    static void equal(String what, Object got, Object want) {
        if (!Objects.equals(got, want)) fail(what + " is " + got + ", not " + want);
    }

    static void holds(boolean condition, String otherwise) {
        if (!condition) fail(otherwise);
    }

    static void recent(String what, long seconds) {
        long away = System.currentTimeMillis() / 1000 - seconds;
        holds(away < 30 && away > -5, what + " is " + away + " s away");
    }

    /** Checks status (0: any) and code of the error that the call must end with. */
    static LogException refused(int status, String code, Call call) throws Exception {
        try {
            call.run();
        } catch (LogException refusal) {
            boolean same = refusal.GetErrorCode().equals(code) && (status == 0 || refusal.GetHttpCode() == status);
            String got = refusal.GetHttpCode() + " " + refusal.GetErrorCode() + " (" + refusal.GetErrorMessage() + ")";
            holds(same, got + " instead of " + status + " " + code);
            return refusal;
        }
        throw new Failure("no error, where " + code + " was expected");
    }

    /** Asks again and again, and fails when the answer is still no after the limit. */
    static void until(String what, Duration limit, Callable<Boolean> ask) throws Exception {
        long end = System.nanoTime() + limit.toNanos();
        while (!ask.call()) {
            if (System.nanoTime() > end) fail(what + ": not within " + limit.toSeconds() + " s");
            Thread.sleep(50);
        }
    }

    ClientConfiguration proxied() {
        ClientConfiguration configuration = new ClientConfiguration();
        configuration.setProxyHost("127.0.0.1");
        configuration.setProxyPort(env.port);
        return configuration;
    }

    ClientConfiguration proxiedV4() {
        ClientConfiguration configuration = proxied();
        configuration.setSignatureVersion(SignVersion.V4);
        configuration.setRegion("cn-hangzhou");
        return configuration;
    }

    Client stsClient(ClientConfiguration configuration) {
        Client sts = new Client(env.endpoint, env.stsKey, env.stsSecret, configuration);
        sts.setSecurityToken(env.stsToken);
        return sts;
    }

    /** Makes the logstore of this case, called like the case. */
    String logstore(int shards) throws LogException {
        client.CreateLogStore(project, new LogStore(id, 7, shards));
        return id;
    }

    void put(String store, int from, int to) throws LogException {
        putTo(store, null, from, to);
    }

    void putTo(String store, String key, int from, int to) throws LogException {
        for (int n = from; n < to; n++) {
            client.PutLogs(new PutLogsRequest(project, store, "topic-1", "127.0.0.1", List.of(Data.log(n)), key));
        }
    }

    String cursor(String store, int shard, Consts.CursorMode mode) throws LogException {
        return client.GetCursor(project, store, shard, mode).GetCursor();
    }

    String begin(String store, int shard) throws LogException {
        return cursor(store, shard, Consts.CursorMode.BEGIN);
    }

    String end(String store, int shard) throws LogException {
        return cursor(store, shard, Consts.CursorMode.END);
    }

    PullLogsResponse pull(String store, int shard, String cursor, String bound, int count) throws LogException {
        PullLogsRequest request = new PullLogsRequest(project, store, shard, count, cursor);
        if (bound != null) request.setEndCursor(bound);
        return client.pullLogs(request);
    }

    /** Reads a shard from begin to end. */
    List<FastLogGroup> all(String store, int shard) throws LogException {
        List<FastLogGroup> groups = new ArrayList<>();
        String cursor = begin(store, shard);
        while (true) {
            PullLogsResponse answer = pull(store, shard, cursor, null, 1000);
            groups.addAll(groupsOf(answer));
            if (answer.getNextCursor().equals(cursor)) return groups;
            cursor = answer.getNextCursor();
        }
    }

    /** Reads all shards of a logstore. */
    List<FastLogGroup> everywhere(String store) throws LogException {
        List<FastLogGroup> groups = new ArrayList<>();
        for (Shard shard : client.ListShard(project, store).GetShards()) groups.addAll(all(store, shard.getShardId()));
        return groups;
    }

    static List<FastLogGroup> groupsOf(PullLogsResponse answer) throws LogException {
        List<FastLogGroup> groups = new ArrayList<>();
        for (LogGroupData group : answer.getLogGroups()) groups.add(group.GetFastLogGroup());
        return groups;
    }

    /** The integer a cursor stands for; the SDK itself counts with it. */
    static long number(String cursor) {
        return Long.parseLong(new String(Base64.getDecoder().decode(cursor), StandardCharsets.US_ASCII));
    }

    static String cursorOf(long number) {
        return Base64.getEncoder().encodeToString(Long.toString(number).getBytes(StandardCharsets.US_ASCII));
    }

    static List<LogItem> items(LogItem... items) {
        return new ArrayList<>(List.of(items));
    }
}
