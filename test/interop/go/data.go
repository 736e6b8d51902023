package main

import (
	"math/rand"
	"sort"
	"strings"
	"time"

	sls "github.com/aliyun/aliyun-log-go-sdk"
	"github.com/gogo/protobuf/proto"
)

// shardKeys lie in the four shards of a logstore, in order; the short one is a prefix.
var shardKeys = []string{
	"00000000000000000000000000000001", "5f", "8c000000000000000000000000000000", "ffffffffffffffffffffffffffffffff",
}

// putDirect sends three groups with one codec: a short one, one of many logs, and one that does not compress.
func putDirect(codec int) func(*try) {
	return func(t *try) {
		client := t.client()
		store := t.logstore(client, 1)
		sent := []*sls.LogGroup{numbered(0), manyLogs(500), noise(70_000)}
		for _, group := range sent {
			t.must("put", client.PutLogsWithCompressType(t.project, store, group, codec))
		}
		groups := t.all(client, store, 0)
		t.equal("groups", len(groups), len(sent))
		for i, group := range groups {
			t.same("the group", group, sent[i])
		}
	}
}

func putRoute(codec int) func(*try) {
	return func(t *try) {
		client := t.client()
		store := t.logstore(client, 4)
		for shard, key := range shardKeys {
			t.must("put by key", client.PostLogStoreLogsV2(t.project, store, &sls.PostLogStoreLogsRequest{
				LogGroup: numbered(shard), HashKey: &key, CompressType: codec,
			}))
		}
		for shard := range shardKeys {
			groups := t.all(client, store, shard)
			t.equal("groups in the shard", len(groups), 1)
			t.same("the group", groups[0], numbered(shard))
		}
	}
}

func manyLogs(count int) *sls.LogGroup {
	group := numbered(0)
	for n := 1; n < count; n++ {
		group.Logs = append(group.Logs, numberedLog(n))
	}
	return group
}

func noise(size int) *sls.LogGroup {
	letters := "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	random := rand.New(rand.NewSource(7))
	var text strings.Builder
	for text.Len() < size {
		text.WriteByte(letters[random.Intn(len(letters))])
	}
	group := numbered(0)
	group.Logs[0].Contents = append(group.Logs[0].Contents,
		&sls.LogContent{Key: proto.String("noise"), Value: proto.String(text.String())})
	return group
}

var putProbes = []probe{
	{"put-direct-lz4", putDirect(sls.Compress_LZ4)},
	{"put-direct-zstd", putDirect(sls.Compress_ZSTD)},
	{"put-direct-identity", putDirect(sls.Compress_None)},
	{"put-route-lz4", putRoute(sls.Compress_LZ4)},
	{"put-route-zstd", putRoute(sls.Compress_ZSTD)},
	{"put-route-identity", putRoute(sls.Compress_None)},
	{"put-tags", func(t *try) {
		client := t.client()
		store := t.logstore(client, 1)
		sent := numbered(0)
		sent.Topic = proto.String("topic ü")
		sent.Source = proto.String("10.0.0.1")
		sent.LogTags = []*sls.LogTag{
			{Key: proto.String("host"), Value: proto.String("h1")},
			{Key: proto.String("empty"), Value: proto.String("")},
		}
		sent.Logs[0].TimeNs = proto.Uint32(123_456_789)
		t.put(client, store, sent)
		groups := t.all(client, store, 0)
		t.equal("groups", len(groups), 1)
		t.equal("topic", groups[0].GetTopic(), "topic ü")
		t.equal("source", groups[0].GetSource(), "10.0.0.1")
		t.equal("tags", len(groups[0].LogTags), 2)
		t.equal("nanoseconds", groups[0].Logs[0].GetTimeNs(), uint32(123_456_789))
		t.same("the group", groups[0], sent)
	}},
	{"put-bytes", func(t *try) {
		client := t.client()
		store := t.logstore(client, 1)
		raw := string([]byte{0, 1, 0x80, 0xff, 0xfe, 0xc0, 0xaf})
		sent := numbered(0)
		sent.Logs[0].Contents[1].Value = &raw
		t.put(client, store, sent)
		groups := t.all(client, store, 0)
		t.equal("groups", len(groups), 1)
		t.equal("value", groups[0].Logs[0].Contents[1].GetValue(), raw)
	}},
}

var readProbes = []probe{
	{"count-groups", func(t *try) {
		client := t.client()
		store := t.logstore(client, 2)
		t.put(client, store, numberedGroups(0, 25)...)
		groups := t.everywhere(client, store)
		t.equal("groups", len(groups), 25)
		got, want := numbersOf(groups), numbersFrom(0, 25)
		sort.Strings(got)
		sort.Strings(want)
		t.equal("numbers", got, want)
	}},
	{"cursors-dense", func(t *try) {
		client := t.client()
		store := t.logstore(client, 1)
		t.put(client, store, numberedGroups(0, 6)...)
		begin := t.cursor(client, store, 0, "begin")
		cursor := begin
		for i := 0; i < 6; i++ {
			groups, next := t.pull(client, store, 0, cursor, "", 1)
			t.equal("groups", len(groups), 1)
			t.equal("step", t.number(next)-t.number(cursor), int64(1))
			cursor = next
		}
		t.equal("end", cursor, t.cursor(client, store, 0, "end"))
		list, _, err := client.PullLogs(t.project, store, 0, begin, "", 10)
		t.must("pull", err)
		t.cursorsOfGroups(list, t.number(begin))
	}},
	{"cursor-begin", func(t *try) {
		client := t.client()
		store := t.logstore(client, 1)
		t.put(client, store, numberedGroups(0, 3)...)
		groups, _ := t.pull(client, store, 0, t.cursor(client, store, 0, "begin"), "", 1)
		t.equal("numbers", numbersOf(groups), []string{"0"})
	}},
	{"cursor-end", func(t *try) {
		client := t.client()
		store := t.logstore(client, 1)
		t.put(client, store, numbered(0))
		end := t.cursor(client, store, 0, "end")
		groups, next := t.pull(client, store, 0, end, "", 10)
		t.equal("groups", len(groups), 0)
		t.equal("next cursor", next, end)
		t.put(client, store, numbered(1))
		groups, _ = t.pull(client, store, 0, end, "", 10)
		t.equal("numbers", numbersOf(groups), []string{"1"})
	}},
	{"cursor-by-time", func(t *try) {
		client := t.client()
		store := t.logstore(client, 1)
		t.put(client, store, numberedGroups(0, 2)...)
		begin, end := t.cursor(client, store, 0, "begin"), t.cursor(client, store, 0, "end")
		past, future := seconds(-3600), seconds(3600)
		t.equal("cursor of the past", t.cursor(client, store, 0, past), begin)
		t.equal("cursor of the future", t.cursor(client, store, 0, future), end)
	}},
	{"cursor-time", func(t *try) {
		client := t.client()
		store := t.logstore(client, 1)
		t.put(client, store, numbered(0))
		for _, from := range []string{"begin", "end"} {
			at, err := client.GetCursorTime(t.project, store, 0, t.cursor(client, store, 0, from))
			t.must("cursor time of "+from, err)
			t.recent("time of "+from, at)
		}
	}},
	{"previous-cursor-time", func(t *try) {
		client := t.client()
		store := t.logstore(client, 1)
		t.put(client, store, numbered(0))
		at, err := client.GetPrevCursorTime(t.project, store, 0, t.cursor(client, store, 0, "end"))
		t.must("time before the end", err)
		t.recent("time of the last put", at)
	}},
	{"end-cursor", func(t *try) {
		client := t.client()
		store := t.logstore(client, 1)
		t.put(client, store, numberedGroups(0, 5)...)
		begin := t.cursor(client, store, 0, "begin")
		bound := cursorOf(t.number(begin) + 3)
		groups, next := t.pull(client, store, 0, begin, bound, 10)
		t.equal("numbers", numbersOf(groups), []string{"0", "1", "2"})
		t.equal("next cursor", next, bound)
		groups, next = t.pull(client, store, 0, bound, bound, 10)
		t.equal("groups at the bound", len(groups), 0)
		t.equal("next cursor at the bound", next, bound)
	}},
	{"pull-lz4", pullWith(sls.Compress_LZ4)},
	{"pull-zstd", pullWith(sls.Compress_ZSTD)},
	{"pull-empty", func(t *try) {
		client := t.client()
		store := t.logstore(client, 1)
		for _, codec := range []int{sls.Compress_LZ4, sls.Compress_ZSTD} {
			end := t.cursor(client, store, 0, "end")
			list, meta, err := client.PullLogsWithQuery(t.pullOf(store, end, 10, codec, ""))
			t.must("pull", err)
			t.equal("groups", len(list.LogGroups), 0)
			t.equal("next cursor", meta.NextCursor, end)
			t.equal("raw size", meta.RawSize, 0)
		}
	}},
	{"pull-count", func(t *try) {
		client := t.client()
		store := t.logstore(client, 1)
		t.put(client, store, numberedGroups(0, 5)...)
		groups, _ := t.pull(client, store, 0, t.cursor(client, store, 0, "begin"), "", 3)
		t.equal("numbers", numbersOf(groups), []string{"0", "1", "2"})
	}},
	{"pull-query", func(t *try) {
		client := t.client()
		store := t.logstore(client, 1)
		t.put(client, store, manyLogs(4), numbered(7), numbered(2))
		begin, end := t.cursor(client, store, 0, "begin"), t.cursor(client, store, 0, "end")
		list, meta, err := client.PullLogsWithQuery(t.pullOf(store, begin, 10, sls.Compress_LZ4, "n: 2 or n: 3"))
		t.must("pull", err)
		t.equal("numbers", numbersOf(list.LogGroups), []string{"2", "3", "2"})
		t.equal("next cursor", meta.NextCursor, end)
	}},
}

func pullWith(codec int) func(*try) {
	return func(t *try) {
		client := t.client()
		store := t.logstore(client, 1)
		sent := []*sls.LogGroup{numbered(0), manyLogs(300), noise(70_000)}
		t.put(client, store, sent...)
		list, meta, err := client.PullLogsWithQuery(
			t.pullOf(store, t.cursor(client, store, 0, "begin"), 100, codec, ""))
		t.must("pull", err)
		t.equal("groups", len(list.LogGroups), len(sent))
		for i, group := range list.LogGroups {
			t.same("the group", group, sent[i])
		}
		t.equal("next cursor", meta.NextCursor, t.cursor(client, store, 0, "end"))
	}
}

func (t *try) pullOf(store, cursor string, count, codec int, query string) *sls.PullLogRequest {
	return &sls.PullLogRequest{
		Project: t.project, Logstore: store, ShardID: 0, Cursor: cursor,
		LogGroupMaxCount: count, CompressType: codec, Query: query,
	}
}

func (t *try) recent(what string, at time.Time) {
	away := time.Since(at)
	t.holds(away < 30*time.Second && away > -5*time.Second, "%s is %v away", what, away)
}
