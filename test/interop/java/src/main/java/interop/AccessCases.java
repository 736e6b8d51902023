package interop;

import com.aliyun.openservices.log.Client;
import com.aliyun.openservices.log.common.FastLogGroup;
import com.aliyun.openservices.log.request.PullLogsRequest;
import com.aliyun.openservices.log.request.PutLogsRequest;
import java.util.List;
import java.util.Map;

final class AccessCases {
    private AccessCases() {}

    static void add(Map<String, Main.Probe> cases) {
        cases.put("auth-v1", t -> {
            String description = t.client.GetProject(t.project).GetProjectDescription();
            Try.equal("description", description, "shared by the cases");
        });
        cases.put("auth-v1-sts", t -> t.stsClient(t.proxied()).GetProject(t.project));
        cases.put("auth-v4", t -> {
            Client client = new Client(t.env.endpoint, t.env.key, t.env.secret, t.proxiedV4());
            client.GetProject(t.project);
            roundTrip(t, client);
        });
        cases.put("auth-v4-sts", t -> {
            Client client = t.stsClient(t.proxiedV4());
            client.GetProject(t.project);
            roundTrip(t, client);
        });
        cases.put("wrong-secret", t -> {
            Client v1 = new Client(t.env.endpoint, t.env.key, t.env.secret + "x", t.proxied());
            Try.refused(401, "SignatureNotMatch", () -> v1.GetProject(t.project));
            Client v4 = new Client(t.env.endpoint, t.env.key, t.env.secret + "x", t.proxiedV4());
            Try.refused(401, "SignatureNotMatch", () -> v4.GetProject(t.project));
        });
        cases.put("unknown-key", t -> {
            Client client = new Client(t.env.endpoint, "nobody", t.env.secret, t.proxied());
            String message = Try.refused(401, "Unauthorized", () -> client.GetProject(t.project)).GetErrorMessage();
            Try.holds(message.contains("AccessKeyId not found: nobody"), "message: " + message);
        });
        cases.put("host-without-port", t -> {
            // Once by name through the SOCKS entrance, once by the address that the SDK dials for puts and pulls alone.
            Client byName = new Client(t.env.endpoint, t.env.key, t.env.secret, "127.0.0.1");
            byName.GetProject(t.project);
            roundTrip(t, byName);
            Client byAddress = new Client(t.env.endpoint, t.env.key, t.env.secret, "127.0.0.1");
            byAddress.setRealServerIP("127.0.0.1:" + t.env.port);
            byAddress.PutLogs(new PutLogsRequest(t.project, t.id, "topic-1", "127.0.0.1", List.of(Data.log(2)), null));
            Try.equal("numbers", Data.numbers(t.all(t.id, 0)), List.of(1, 2));
        });
        cases.put("absolute-form", t -> roundTrip(t, t.client));
    }

    /** Puts a group and reads it back. */
    private static void roundTrip(Try t, Client client) throws Exception {
        String store = t.logstore(1);
        client.PutLogs(new PutLogsRequest(t.project, store, "topic-1", "127.0.0.1", List.of(Data.log(1)), null));
        List<FastLogGroup> groups =
                Try.groupsOf(client.pullLogs(new PullLogsRequest(t.project, store, 0, 10, t.begin(store, 0))));
        Try.equal("groups", groups.size(), 1);
        Try.equal("the group", Data.text(groups.get(0)), Data.text(Data.group(Data.log(1))));
    }
}
