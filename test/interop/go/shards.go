package main

import (
	"strconv"
	"strings"
	"time"

	sls "github.com/aliyun/aliyun-log-go-sdk"
)

var (
	lowest  = strings.Repeat("0", 32)
	highest = strings.Repeat("f", 32)
	eighth  = "2" + strings.Repeat("0", 31)
	half    = "8" + strings.Repeat("0", 31)
)

func seconds(fromNow int64) string { return strconv.FormatInt(time.Now().Unix()+fromNow, 10) }

// shape writes shards as `0 readonly 000…-800…`, to be compared as text.
func shape(shards []*sls.Shard) []string {
	lines := []string{}
	for _, shard := range shards {
		lines = append(lines, strings.Join([]string{
			strconv.Itoa(shard.ShardID), shard.Status, shard.InclusiveBeginKey + "-" + shard.ExclusiveBeginKey}, " "))
	}
	return lines
}

func idsOf(shards []*sls.Shard) []int {
	ids := []int{}
	for _, shard := range shards {
		ids = append(ids, shard.ShardID)
	}
	return ids
}

var shardProbes = []probe{
	{"list-shards", func(t *try) {
		client := t.client()
		shards, err := client.ListShards(t.project, t.logstore(client, 3))
		t.must("list shards", err)
		t.equal("ids", idsOf(shards), []int{0, 1, 2})
		border := lowest
		for _, shard := range shards {
			t.equal("status", shard.Status, "readwrite")
			t.equal("begin key", shard.InclusiveBeginKey, border)
			t.recent("time of the shard", time.Unix(int64(shard.CreateTime), 0))
			border = shard.ExclusiveBeginKey
		}
		t.equal("last end key", border, highest)
	}},
	{"split", func(t *try) {
		client := t.client()
		store := t.logstore(client, 2)
		shards, err := client.SplitShard(t.project, store, 0, "")
		t.must("split", err)
		quarter := "4" + strings.Repeat("0", 31)
		t.equal("answer", shape(shards), []string{
			"0 readonly " + lowest + "-" + half,
			"2 readwrite " + lowest + "-" + quarter,
			"3 readwrite " + quarter + "-" + half,
		})
		listed, err := client.ListShards(t.project, store)
		t.must("list shards", err)
		t.equal("ids", idsOf(listed), []int{0, 1, 2, 3})
		_, err = client.SplitShard(t.project, store, 0, "")
		t.refused(err, 400, "ParameterInvalid")
	}},
	{"split-at-key", func(t *try) {
		client := t.client()
		store := t.logstore(client, 2)
		shards, err := client.SplitShard(t.project, store, 0, eighth)
		t.must("split", err)
		t.equal("answer", shape(shards), []string{
			"0 readonly " + lowest + "-" + half,
			"2 readwrite " + lowest + "-" + eighth,
			"3 readwrite " + eighth + "-" + half,
		})
		_, err = client.SplitShard(t.project, store, 2, half)
		t.refused(err, 400, "ParameterInvalid")
	}},
	{"split-count", func(t *try) {
		client := t.client()
		shards, err := client.SplitNumShard(t.project, t.logstore(client, 1), 0, 3)
		t.must("split", err)
		t.equal("ids", idsOf(shards), []int{0, 1, 2, 3})
		t.equal("status of the old one", shards[0].Status, "readonly")
		t.equal("first begin key", shards[1].InclusiveBeginKey, lowest)
		t.equal("first border", shards[2].InclusiveBeginKey, shards[1].ExclusiveBeginKey)
		t.equal("second border", shards[3].InclusiveBeginKey, shards[2].ExclusiveBeginKey)
		t.equal("last end key", shards[3].ExclusiveBeginKey, highest)
	}},
	{"merge", func(t *try) {
		client := t.client()
		store := t.logstore(client, 2)
		shards, err := client.MergeShards(t.project, store, 0)
		t.must("merge", err)
		t.equal("answer", shape(shards), []string{
			"2 readwrite " + lowest + "-" + highest,
			"0 readonly " + lowest + "-" + half,
			"1 readonly " + half + "-" + highest,
		})
		_, err = client.MergeShards(t.project, store, 2)
		t.refused(err, 400, "ParameterInvalid")
	}},
	{"read-only-readable", func(t *try) {
		client := t.client()
		store := t.logstore(client, 1)
		t.put(client, store, numberedGroups(0, 3)...)
		_, err := client.SplitShard(t.project, store, 0, "")
		t.must("split", err)
		t.put(client, store, numberedGroups(3, 6)...)
		t.equal("numbers of the old shard", numbersOf(t.all(client, store, 0)), numbersFrom(0, 3))
		t.equal("groups of all", len(t.everywhere(client, store)), 6)
	}},
	{"read-only-end", func(t *try) {
		client := t.client()
		store := t.logstore(client, 1)
		t.put(client, store, numberedGroups(0, 3)...)
		before := t.cursor(client, store, 0, "end")
		_, err := client.SplitShard(t.project, store, 0, "")
		t.must("split", err)
		t.put(client, store, numberedGroups(3, 6)...)
		t.equal("end cursor", t.cursor(client, store, 0, "end"), before)
		_, next := t.pull(client, store, 0, t.cursor(client, store, 0, "begin"), "", 10)
		t.equal("where reading ends", next, before)
		t.equal("end cursor, asked again", t.cursor(client, store, 0, "end"), before)
	}},
}
