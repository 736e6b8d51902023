package main

import (
	"slices"
	"strings"

	sls "github.com/aliyun/aliyun-log-go-sdk"
)

var accessProbes = []probe{
	{"auth-v1", func(t *try) {
		project, err := t.client().GetProject(t.project)
		t.must("get project", err)
		t.equal("project name", project.Name, t.project)
	}},
	{"auth-v1-sts", func(t *try) {
		_, err := t.stsClient().GetProject(t.project)
		t.must("get project", err)
	}},
	{"auth-v4", func(t *try) {
		client := signingV4(t.client())
		_, err := client.GetProject(t.project)
		t.must("get project", err)
		store := t.logstore(client, 1)
		t.put(client, store, numbered(0))
		groups := t.all(client, store, 0)
		t.equal("groups", len(groups), 1)
		t.same("the group", groups[0], numbered(0))
	}},
	{"auth-v4-sts", func(t *try) {
		client := signingV4(t.stsClient())
		_, err := client.GetProject(t.project)
		t.must("get project", err)
		store := t.logstore(client, 1)
		t.put(client, store, numbered(0))
		t.equal("groups", len(t.all(client, store, 0)), 1)
	}},
	{"wrong-secret", func(t *try) {
		client := t.clientAs(t.env.host, t.env.key, t.env.secret+"x", "", t.dialling())
		_, err := client.GetProject(t.project)
		t.refused(err, 401, "SignatureNotMatch")
		_, err = signingV4(client).GetProject(t.project)
		t.refused(err, 401, "SignatureNotMatch")
	}},
	{"unknown-key", func(t *try) {
		client := t.clientAs(t.env.host, "nobody", t.env.secret, "", t.dialling())
		_, err := client.GetProject(t.project)
		refusal := t.refused(err, 401, "Unauthorized")
		t.holds(strings.Contains(refusal.Message, "AccessKeyId not found: nobody"), "message: %s", refusal.Message)
	}},
	{"host-with-port", func(t *try) {
		client := t.clientAs(t.env.host+":"+t.env.port, t.env.key, t.env.secret, "", t.dialling())
		t.roundTrip(client, t.logstore(client, 1))
		signingV4(client)
		_, err := client.GetProject(t.project)
		t.must("get project, version 4", err)
	}},
	{"host-without-port", func(t *try) {
		client := t.client()
		t.roundTrip(client, t.logstore(client, 1))
	}},
	{"absolute-form", func(t *try) {
		client := t.clientAs(t.env.host, t.env.key, t.env.secret, "", t.proxied())
		t.roundTrip(client, t.logstore(client, 1))
		signingV4(client)
		_, err := client.GetProject(t.project)
		t.must("get project, version 4", err)
	}},
}

// roundTrip puts a group and reads it back.
func (t *try) roundTrip(client *sls.Client, store string) {
	sent := numbered(1)
	t.put(client, store, sent)
	groups := t.all(client, store, 0)
	t.equal("groups", len(groups), 1)
	t.same("the group", groups[0], sent)
}

var placeProbes = []probe{
	{"create-project", func(t *try) {
		client := t.client()
		name := t.project + "-made"
		_, err := client.CreateProject(name, "made by Go")
		t.must("create project", err)
		project, err := client.GetProject(name)
		t.must("get project", err)
		t.equal("name", project.Name, name)
		t.equal("description", project.Description, "made by Go")
	}},
	{"create-project-twice", func(t *try) {
		_, err := t.client().CreateProject(t.project, "again")
		t.refused(err, 400, "ProjectAlreadyExist")
	}},
	{"update-project", func(t *try) {
		client := t.client()
		name := t.project + "-update"
		_, err := client.CreateProject(name, "before")
		t.must("create project", err)
		_, err = client.UpdateProject(name, "after")
		t.must("update project", err)
		project, err := client.GetProject(name)
		t.must("get project", err)
		t.equal("description", project.Description, "after")
	}},
	{"list-projects", func(t *try) {
		// The endpoint is an address here, which the service takes for no project.
		client := t.clientAs("127.0.0.1", t.env.key, t.env.secret, "", t.dialling())
		// Asked without a size, the answer may be the first page only.
		names, err := client.ListProject()
		t.must("list projects", err)
		t.holds(len(names) > 0, "no projects")
		projects, count, total, err := client.ListProjectV2(0, 500)
		t.must("list projects with paging", err)
		t.equal("count", count, len(projects))
		t.holds(total >= count, "total %d is below count %d", total, count)
		t.holds(slices.ContainsFunc(projects, func(p sls.LogProject) bool { return p.Name == t.project }),
			"%s is not in the page", t.project)
	}},
	{"delete-project", func(t *try) {
		client := t.client()
		name := t.project + "-gone"
		_, err := client.CreateProject(name, "")
		t.must("create project", err)
		t.must("delete project", client.DeleteProject(name))
		_, err = client.GetProject(name)
		t.refused(err, 404, "ProjectNotExist")
	}},
	{"create-logstore", func(t *try) {
		client := t.client()
		store, err := client.GetLogStore(t.project, t.logstore(client, 3))
		t.must("get logstore", err)
		t.equal("name", store.Name, t.id)
		t.equal("ttl", store.TTL, 7)
		t.equal("shards", store.ShardCount, 3)
	}},
	{"create-logstore-twice", func(t *try) {
		client := t.client()
		store := t.logstore(client, 1)
		t.refused(client.CreateLogStore(t.project, store, 7, 1, false, 0), 400, "LogStoreAlreadyExist")
	}},
	{"update-logstore", func(t *try) {
		client := t.client()
		name := t.logstore(client, 2)
		t.must("update logstore", client.UpdateLogStore(t.project, name, 9, 2))
		store, err := client.GetLogStore(t.project, name)
		t.must("get logstore", err)
		t.equal("ttl", store.TTL, 9)
		t.equal("shards", store.ShardCount, 2)
	}},
	{"list-logstores", func(t *try) {
		// The SDK has no way to pass a name as filter.
		client := t.client()
		store := t.logstore(client, 1)
		names, err := client.ListLogStore(t.project)
		t.must("list logstores", err)
		t.holds(slices.Contains(names, store), "%s is not among %v", store, names)
	}},
	{"delete-logstore", func(t *try) {
		client := t.client()
		store := t.logstore(client, 1)
		t.must("delete logstore", client.DeleteLogStore(t.project, store))
		_, err := client.GetLogStore(t.project, store)
		t.refused(err, 404, "LogStoreNotExist")
		exists, err := client.CheckLogstoreExist(t.project, store)
		t.must("check logstore", err)
		t.equal("still there", exists, false)
	}},
	{"index-crud", func(t *try) {
		client := t.client()
		store := t.logstore(client, 1)
		line := sls.Index{Line: &sls.IndexLine{Token: []string{",", " "}, CaseSensitive: true}}
		t.must("create index", client.CreateIndex(t.project, store, line))
		index, err := client.GetIndex(t.project, store)
		t.must("get index", err)
		t.holds(index.Line != nil, "no line in the index")
		t.equal("tokens", index.Line.Token, line.Line.Token)
		keyed := sls.Index{Keys: map[string]sls.IndexKey{"n": {Type: "long"}}}
		t.must("update index", client.UpdateIndex(t.project, store, keyed))
		index, err = client.GetIndex(t.project, store)
		t.must("get index", err)
		t.equal("type of key", index.Keys["n"].Type, "long")
		t.must("delete index", client.DeleteIndex(t.project, store))
		_, err = client.GetIndex(t.project, store)
		t.refused(err, 0, "IndexConfigNotExist")
	}},
}

var errorProbes = []probe{
	{"unknown-project", func(t *try) {
		_, err := t.client().GetLogStore(t.project+"-none", "app-log")
		refusal := t.refused(err, 404, "ProjectNotExist")
		t.equal("message", refusal.Message, "The Project does not exist: "+t.project+"-none")
	}},
	{"unknown-logstore", func(t *try) {
		client := t.client()
		_, err := client.ListShards(t.project, "none")
		refusal := t.refused(err, 404, "LogStoreNotExist")
		t.equal("message", refusal.Message, "logstore none does not exist")
		t.refused(client.PutLogs(t.project, "none", numbered(0)), 404, "LogStoreNotExist")
		_, err = client.GetCursor(t.project, "none", 0, "begin")
		t.refused(err, 404, "LogStoreNotExist")
	}},
	{"unknown-shard", func(t *try) {
		client := t.client()
		store := t.logstore(client, 1)
		_, err := client.GetCursor(t.project, store, 99, "begin")
		t.refused(err, 400, "ShardNotExist")
		_, _, err = client.PullLogs(t.project, store, 99, cursorOf(1772510706000000000), "", 1)
		t.refused(err, 400, "ShardNotExist")
	}},
	{"unknown-group", func(t *try) {
		client := t.client()
		store := t.logstore(client, 1)
		_, err := client.GetCheckpoint(t.project, store, "nobody")
		t.refused(err, 404, "ConsumerGroupNotExist")
		_, err = client.HeartBeat(t.project, store, "nobody", "c1", nil)
		t.refused(err, 404, "ConsumerGroupNotExist")
	}},
	{"bad-cursor", func(t *try) {
		client := t.client()
		store := t.logstore(client, 1)
		cut := t.cursor(client, store, 0, "begin")[10:]
		_, _, err := client.PullLogs(t.project, store, 0, cut, "", 1)
		t.refused(err, 400, "ParameterInvalid")
	}},
	{"cursor-out-of-range", func(t *try) {
		client := t.client()
		store := t.logstore(client, 1)
		end := t.number(t.cursor(client, store, 0, "end"))
		_, _, err := client.PullLogs(t.project, store, 0, cursorOf(end+10), "", 1)
		t.refused(err, 400, "InvalidCursor")
		_, err = client.GetCursorTime(t.project, store, 0, cursorOf(end-10))
		t.refused(err, 400, "InvalidCursor")
	}},
	{"error-parts", func(t *try) {
		_, err := t.client().GetLogStore(t.project, "none")
		refusal := t.refused(err, 404, "LogStoreNotExist")
		t.holds(refusal.Message != "", "no message")
		t.equal("length of the request id", len(refusal.RequestID), 24)
	}},
}
