package interop;

import com.alibaba.fastjson.JSON;
import com.alibaba.fastjson.JSONObject;
import com.aliyun.openservices.log.Client;
import com.aliyun.openservices.log.common.LogStore;
import com.aliyun.openservices.log.common.Project;
import com.aliyun.openservices.log.request.UpdateProjectRequest;
import com.aliyun.openservices.log.response.GetProjectResponse;
import com.aliyun.openservices.log.response.ListLogStoresResponse;
import com.aliyun.openservices.log.response.ListProjectResponse;
import java.util.List;
import java.util.Map;

final class PlaceCases {
    private PlaceCases() {}

    static void add(Map<String, Main.Probe> cases) {
        cases.put("create-project", t -> {
            String name = t.project + "-made";
            t.client.CreateProject(name, "made by Java");
            GetProjectResponse project = t.client.GetProject(name);
            Try.equal("description", project.GetProjectDescription(), "made by Java");
            Try.equal("status", project.GetProjectStatus(), "Normal");
            Try.holds(project.getQuota() != null, "no quota");
        });
        cases.put("create-project-twice", t ->
                Try.refused(400, "ProjectAlreadyExist", () -> t.client.CreateProject(t.project, "again")));
        cases.put("update-project", t -> {
            String name = t.project + "-update";
            t.client.CreateProject(name, "before");
            t.client.updateProject(new UpdateProjectRequest(name, "after"));
            Try.equal("description", t.client.GetProject(name).GetProjectDescription(), "after");
        });
        cases.put("list-projects", t -> {
            // The endpoint is localhost here, which the service takes for no project.
            Client client = new Client("http://localhost", t.env.key, t.env.secret, t.proxied());
            ListProjectResponse answer = client.ListProject("", 0, 500);
            Try.equal("count", answer.getCount(), answer.getProjects().size());
            Try.holds(answer.getTotal() >= answer.getCount(), "total " + answer.getTotal() + " is below the count");
            Try.holds(answer.getProjects().stream().map(Project::getProjectName).anyMatch(t.project::equals),
                    t.project + " is not in the list");
        });
        cases.put("delete-project", t -> {
            String name = t.project + "-gone";
            t.client.CreateProject(name, "");
            t.client.DeleteProject(name);
            Try.refused(404, "ProjectNotExist", () -> t.client.GetProject(name));
        });
        cases.put("create-logstore", t -> {
            LogStore store = t.client.GetLogStore(t.project, t.logstore(3)).GetLogStore();
            Try.equal("name", store.GetLogStoreName(), t.id);
            Try.equal("ttl", store.GetTtl(), 7);
            Try.equal("shards", store.GetShardCount(), 3);
            Try.recent("time of creation", store.GetCreateTime());
        });
        cases.put("create-logstore-twice", t -> {
            String store = t.logstore(1);
            Try.refused(400, "LogStoreAlreadyExist", () -> t.client.CreateLogStore(t.project, new LogStore(store, 7, 1)));
        });
        cases.put("update-logstore", t -> {
            String name = t.logstore(2);
            t.client.UpdateLogStore(t.project, new LogStore(name, 9, 2));
            LogStore store = t.client.GetLogStore(t.project, name).GetLogStore();
            Try.equal("ttl", store.GetTtl(), 9);
            Try.equal("shards", store.GetShardCount(), 2);
        });
        cases.put("list-logstores", t -> {
            String store = t.logstore(1);
            ListLogStoresResponse all = t.client.ListLogStores(t.project, 0, 500);
            Try.holds(all.GetLogStores().contains(store), store + " is not among " + all.GetLogStores());
            ListLogStoresResponse found = t.client.ListLogStores(t.project, 0, 500, store);
            Try.equal("found by name", found.GetLogStores(), List.of(store));
            Try.equal("total", found.GetTotal(), 1);
        });
        cases.put("delete-logstore", t -> {
            String store = t.logstore(1);
            t.client.DeleteLogStore(t.project, store);
            Try.refused(404, "LogStoreNotExist", () -> t.client.GetLogStore(t.project, store));
        });
        cases.put("index-crud", t -> {
            String store = t.logstore(1);
            t.client.CreateIndex(t.project, store, "{\"line\":{\"token\":[\",\",\" \"],\"caseSensitive\":true},\"ttl\":7}");
            JSONObject line = index(t, store).getJSONObject("line");
            Try.equal("tokens", line.getJSONArray("token").toString(), "[\",\",\" \"]");
            t.client.UpdateIndex(t.project, store, "{\"keys\":{\"n\":{\"type\":\"long\"}},\"ttl\":7}");
            Try.equal("type of key", index(t, store).getJSONObject("keys").getJSONObject("n").getString("type"), "long");
            t.client.DeleteIndex(t.project, store);
            Try.refused(0, "IndexConfigNotExist", () -> t.client.GetIndexString(t.project, store));
        });
    }

    private static JSONObject index(Try t, String store) throws Exception {
        return JSON.parseObject(t.client.GetIndexString(t.project, store).GetIndex());
    }
}
