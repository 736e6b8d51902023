package main

import (
	"slices"
	"time"

	sls "github.com/aliyun/aliyun-log-go-sdk"
)

const group = "g1"

func (t *try) group(client *sls.Client, store string, timeout int, inOrder bool) {
	t.must("create consumer group", client.CreateConsumerGroup(t.project, store, sls.ConsumerGroup{
		ConsumerGroupName: group, Timeout: timeout, InOrder: inOrder,
	}))
}

// beat sends one heartbeat and gives the shards of the answer, in order.
func (t *try) beat(client *sls.Client, store, consumer string, listed ...int) []int {
	shards, err := client.HeartBeat(t.project, store, group, consumer, listed)
	t.must("heartbeat of "+consumer, err)
	shards = append([]int{}, shards...)
	slices.Sort(shards)
	return shards
}

func (t *try) listed(client *sls.Client, store string) *sls.ConsumerGroup {
	groups, err := client.ListConsumerGroup(t.project, store)
	t.must("list consumer groups", err)
	for _, one := range groups {
		if one.ConsumerGroupName == group {
			return one
		}
	}
	return nil
}

func (t *try) checkpoints(client *sls.Client, store string) []*sls.ConsumerGroupCheckPoint {
	list, err := client.GetCheckpoint(t.project, store, group)
	t.must("get checkpoints", err)
	return list
}

var groupProbes = []probe{
	{"group-create", func(t *try) {
		client := t.client()
		store := t.logstore(client, 1)
		t.group(client, store, 60, false)
		t.holds(t.listed(client, store) != nil, "the group is not in the list")
	}},
	{"group-create-twice", func(t *try) {
		client := t.client()
		store := t.logstore(client, 1)
		t.group(client, store, 60, false)
		err := client.CreateConsumerGroup(t.project, store, sls.ConsumerGroup{ConsumerGroupName: group, Timeout: 60})
		t.refused(err, 400, "ConsumerGroupAlreadyExist")
	}},
	{"group-update", func(t *try) {
		client := t.client()
		store := t.logstore(client, 1)
		t.group(client, store, 60, false)
		t.must("update consumer group", client.UpdateConsumerGroup(t.project, store, sls.ConsumerGroup{
			ConsumerGroupName: group, Timeout: 40, InOrder: true,
		}))
		t.equal("the group", *t.listed(client, store), sls.ConsumerGroup{ConsumerGroupName: group, Timeout: 40, InOrder: true})
	}},
	{"group-list", func(t *try) {
		client := t.client()
		store := t.logstore(client, 1)
		t.group(client, store, 61, true)
		groups, err := client.ListConsumerGroup(t.project, store)
		t.must("list consumer groups", err)
		t.equal("groups", len(groups), 1)
		t.equal("the group", *groups[0], sls.ConsumerGroup{ConsumerGroupName: group, Timeout: 61, InOrder: true})
	}},
	{"group-delete", func(t *try) {
		client := t.client()
		store := t.logstore(client, 1)
		t.group(client, store, 60, false)
		t.must("delete consumer group", client.DeleteConsumerGroup(t.project, store, group))
		groups, err := client.ListConsumerGroup(t.project, store)
		t.must("list consumer groups", err)
		t.equal("groups", len(groups), 0)
	}},
	{"heartbeat", func(t *try) {
		client := t.client()
		store := t.logstore(client, 3)
		t.group(client, store, 60, false)
		t.equal("shards of the first heartbeat", t.beat(client, store, "c 1"), []int{0, 1, 2})
		t.equal("shards after a restart", t.beat(client, store, "c 1"), []int{0, 1, 2})
		t.equal("shards of the next heartbeat", t.beat(client, store, "c 1", 0, 1, 2), []int{0, 1, 2})
	}},
	{"heartbeat-transfer", func(t *try) {
		client := t.client()
		store := t.logstore(client, 4)
		t.group(client, store, 60, false)
		t.equal("shards of c1, alone", t.beat(client, store, "c1"), []int{0, 1, 2, 3})
		t.equal("shards of c2, new", t.beat(client, store, "c2"), []int{})
		kept := t.beat(client, store, "c1", 0, 1, 2, 3)
		t.equal("number of shards that c1 keeps", len(kept), 2)
		t.equal("shards of c2 while c1 still lists them", t.beat(client, store, "c2"), []int{})
		t.equal("shards of c1, listing what it keeps", t.beat(client, store, "c1", kept...), kept)
		got := t.beat(client, store, "c2")
		t.equal("number of shards of c2", len(got), 2)
		both := append(slices.Clone(kept), got...)
		slices.Sort(both)
		t.equal("shards of both", both, []int{0, 1, 2, 3})
	}},
	{"heartbeat-order", func(t *try) {
		client := t.client()
		store := t.logstore(client, 1)
		t.group(client, store, 60, true)
		t.put(client, store, numberedGroups(0, 3)...)
		t.equal("shards", t.beat(client, store, "c1"), []int{0})
		_, err := client.SplitShard(t.project, store, 0, "")
		t.must("split", err)
		t.equal("shards before the parent is read", t.beat(client, store, "c1", 0), []int{0})
		end := t.cursor(client, store, 0, "end")
		half := cursorOf(t.number(end) - 1)
		t.must("checkpoint", client.UpdateCheckpoint(t.project, store, group, "c1", 0, half, true))
		t.equal("shards when one is left to read", t.beat(client, store, "c1", 0), []int{0})
		t.must("checkpoint", client.UpdateCheckpoint(t.project, store, group, "c1", 0, end, true))
		t.until("the children", 5*time.Second, func() bool {
			return slices.Equal(t.beat(client, store, "c1"), []int{1, 2})
		})
	}},
	{"checkpoint-empty", func(t *try) {
		client := t.client()
		store := t.logstore(client, 3)
		t.group(client, store, 60, false)
		list := t.checkpoints(client, store)
		t.equal("checkpoints", len(list), 3)
		for shard, checkpoint := range list {
			t.equal("shard", checkpoint.ShardID, shard)
			t.equal("checkpoint", checkpoint.CheckPoint, "")
		}
	}},
	{"checkpoint-set", func(t *try) {
		client := t.client()
		store := t.logstore(client, 2)
		t.group(client, store, 60, false)
		cursor := t.cursor(client, store, 1, "begin")
		t.must("checkpoint", client.UpdateCheckpoint(t.project, store, group, "c1", 1, cursor, true))
		list := t.checkpoints(client, store)
		t.equal("checkpoints", len(list), 2)
		t.equal("the other checkpoint", list[0].CheckPoint, "")
		t.equal("shard", list[1].ShardID, 1)
		t.equal("checkpoint", list[1].CheckPoint, cursor)
		t.equal("consumer", list[1].Consumer, "c1")
		t.recent("time of the checkpoint", time.UnixMicro(list[1].UpdateTime))
	}},
	{"checkpoint-of-owner", func(t *try) {
		client := t.client()
		store := t.logstore(client, 1)
		t.group(client, store, 60, false)
		cursor := t.cursor(client, store, 0, "begin")
		t.equal("shards of c1", t.beat(client, store, "c1"), []int{0})
		t.equal("shards of c2", t.beat(client, store, "c2"), []int{})
		t.must("checkpoint of the owner", client.UpdateCheckpoint(t.project, store, group, "c1", 0, cursor, false))
		t.refused(client.UpdateCheckpoint(t.project, store, group, "c2", 0, cursor, false), 400, "ConsumerNotMatch")
		t.refused(client.UpdateCheckpoint(t.project, store, group, "c3", 0, cursor, false), 400, "ConsumerNotExist")
		t.must("forced checkpoint", client.UpdateCheckpoint(t.project, store, group, "c2", 0, cursor, true))
	}},
}

// silentConsumer waits for the timeout of a consumer group, so it runs beside the others.
func silentConsumer(t *try) {
	client := t.client()
	store := t.logstore(client, 2)
	t.group(client, store, 3, false)
	began := time.Now()
	t.equal("shards of c1", t.beat(client, store, "c1"), []int{0, 1})
	t.equal("shards of c2", t.beat(client, store, "c2"), []int{})
	t.until("all shards of c2", 15*time.Second, func() bool {
		time.Sleep(200 * time.Millisecond)
		return slices.Equal(t.beat(client, store, "c2"), []int{0, 1})
	})
	t.holds(time.Since(began) > 2900*time.Millisecond, "c2 had all shards after %v already", time.Since(began))
}
