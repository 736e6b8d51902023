package main

import (
	"errors"
	"net/http"
	"os"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	sls "github.com/aliyun/aliyun-log-go-sdk"
	consumerLibrary "github.com/aliyun/aliyun-log-go-sdk/consumer"
	"github.com/aliyun/aliyun-log-go-sdk/producer"
)

var slowProbes = []probe{
	{"heartbeat-expiry", silentConsumer},
	{"consumer-two-members", func(t *try) {
		client := t.client()
		store := t.logstore(client, 4)
		first := t.member(store, "first", false)
		second := t.member(store, "second", false)
		sent := 0
		// The old version hands over nothing that is empty, so new logs have to tell who holds which shard.
		t.until("two shards for each member", 30*time.Second, func() bool {
			first.forgetShards()
			second.forgetShards()
			t.fill(client, store, sent, sent+8)
			sent += 8
			t.until("all logs", 20*time.Second, func() bool {
				return slices.Equal(distinct(first, second), numbersFrom(0, sent))
			})
			both := append(first.shards(), second.shards()...)
			slices.Sort(both)
			return len(first.shards()) == 2 && slices.Equal(both, []int{0, 1, 2, 3})
		})
		first.worker.StopAndWait()
		second.worker.StopAndWait()
		for _, checkpoint := range t.checkpoints(client, store) {
			t.equal("checkpoint after the end", checkpoint.CheckPoint, t.cursor(client, store, checkpoint.ShardID, "end"))
		}
	}},
	{"consumer-failover", func(t *try) {
		client := t.client()
		store := t.logstore(client, 4)
		t.fill(client, store, 0, 20)
		first := t.member(store, "first", false)
		t.until("the first half, committed", 30*time.Second, func() bool {
			for _, checkpoint := range t.checkpoints(client, store) {
				if checkpoint.CheckPoint != t.cursor(client, store, checkpoint.ShardID, "end") {
					return false
				}
			}
			return slices.Equal(distinct(first), numbersFrom(0, 20))
		})
		second := t.member(store, "second", false)
		first.dead.Store(true)
		t.fill(client, store, 20, 40)
		t.until("the second half", 30*time.Second, func() bool {
			return slices.Equal(distinct(first, second), numbersFrom(0, 40))
		})
		t.equal("what the second read", distinct(second), numbersFrom(20, 40))
		second.worker.StopAndWait()
	}},
	{"consumer-split", func(t *try) {
		client := t.client()
		store := t.logstore(client, 1)
		t.put(client, store, numberedGroups(0, 5)...)
		only := t.member(store, "only", true)
		t.until("the first logs", 30*time.Second, func() bool { return slices.Equal(distinct(only), numbersFrom(0, 5)) })
		_, err := client.SplitShard(t.project, store, 0, "")
		t.must("split", err)
		t.putTo(client, store, lowest, numberedGroups(5, 10)...)
		t.putTo(client, store, highest, numberedGroups(10, 15)...)
		t.until("the logs of the children", 30*time.Second, func() bool {
			return slices.Equal(distinct(only), numbersFrom(0, 15))
		})
		only.worker.StopAndWait()
	}},
	{"put-producer", func(t *try) {
		client := t.client()
		store := t.logstore(client, 2)
		config := t.producing()
		config.GeneratePackId = true
		config.LogTags = []*sls.LogTag{{Key: word("from"), Value: word("producer")}}
		t.produce(config, 1000, func(p *producer.Producer, results producer.CallBack) {
			for n := 0; n < 1000; n++ {
				t.must("send", p.SendLogWithCallBack(t.project, store, "topic-"+strconv.Itoa(n%3), "127.0.0.1", numberedLog(n), results))
			}
		})
		groups := t.everywhere(client, store)
		numbers := sorted(numbersOf(groups))
		t.equal("numbers", numbers, sorted(numbersFrom(0, 1000)))
		for _, one := range groups {
			t.equal("keys of the tags", tagKeys(one), []string{"from", "__pack_id__"})
		}
	}},
	{"put-producer-hash", func(t *try) {
		client := t.client()
		store := t.logstore(client, 4)
		config := t.producing()
		config.AdjustShargHash = false
		config.CompressType = sls.Compress_ZSTD
		config.AuthVersion, config.Region = sls.AuthV4, region
		t.produce(config, 40, func(p *producer.Producer, results producer.CallBack) {
			for n := 0; n < 40; n++ {
				t.must("send", p.HashSendLogWithCallBack(t.project, store, shardKeys[n%4], "topic", "source", numberedLog(n), results))
			}
		})
		// The adjusted hash of 127.0.0.1 begins with f4, which is in the last shard.
		t.produce(t.producing(), 1, func(p *producer.Producer, results producer.CallBack) {
			t.must("send", p.HashSendLogWithCallBack(t.project, store, "127.0.0.1", "topic", "source", numberedLog(43), results))
		})
		for shard := range shardKeys {
			want := []string{}
			for n := shard; n < 40; n += 4 {
				want = append(want, strconv.Itoa(n))
			}
			if shard == 3 {
				want = append(want, "43")
			}
			t.equal("numbers of the shard", sorted(numbersOf(t.all(client, store, shard))), sorted(want))
		}
	}},
}

// fill puts groups from..to, spread evenly over the four shards of a logstore.
func (t *try) fill(client *sls.Client, store string, from, to int) {
	for n := from; n < to; n++ {
		t.putTo(client, store, shardKeys[n%4], numbered(n))
	}
}

// member is one worker of the consumer library. A dead one cannot reach the service any more, as if its machine were gone.
type member struct {
	worker *consumerLibrary.ConsumerWorker
	dead   atomic.Bool
	lock   sync.Mutex
	read   map[int]bool
	logs   map[string]bool
}

func (m *member) Process(shard int, list *sls.LogGroupList, tracker consumerLibrary.CheckPointTracker) (string, error) {
	m.lock.Lock()
	for _, number := range numbersOf(list.LogGroups) {
		m.logs[number] = true
		m.read[shard] = true
	}
	m.lock.Unlock()
	return "", tracker.SaveCheckPoint(true)
}

func (m *member) Shutdown(consumerLibrary.CheckPointTracker) error { return nil }

// shards are those it read from since they were forgotten.
func (m *member) shards() []int {
	m.lock.Lock()
	defer m.lock.Unlock()
	keys := []int{}
	for key := range m.read {
		keys = append(keys, key)
	}
	return keys
}

func (m *member) forgetShards() {
	m.lock.Lock()
	defer m.lock.Unlock()
	m.read = map[int]bool{}
}

// distinct lists the numbers the members have read between them, in the order of numbersFrom.
func distinct(members ...*member) []string {
	all := map[string]bool{}
	for _, m := range members {
		m.lock.Lock()
		for number := range m.logs {
			all[number] = true
		}
		m.lock.Unlock()
	}
	numbers := []string{}
	for number := range all {
		numbers = append(numbers, number)
	}
	slices.SortFunc(numbers, func(a, b string) int { return valueOf(a) - valueOf(b) })
	return numbers
}

func valueOf(number string) int {
	value, _ := strconv.Atoi(number)
	return value
}

func sorted(list []string) []string {
	slices.Sort(list)
	return list
}

func word(text string) *string { return &text }

type mortal struct {
	m    *member
	next http.RoundTripper
}

func (w mortal) RoundTrip(request *http.Request) (*http.Response, error) {
	if w.m.dead.Load() {
		return nil, errors.New("this member is gone")
	}
	return w.next.RoundTrip(request)
}

func (t *try) member(store, name string, inOrder bool) *member {
	m := &member{read: map[int]bool{}, logs: map[string]bool{}}
	over := t.dialling()
	over.Transport = mortal{m, over.Transport}
	config := consumerLibrary.LogHubConfig{
		Endpoint: t.env.host, AccessKeyID: t.env.key, AccessKeySecret: t.env.secret,
		Project: t.project, Logstore: store, ConsumerGroupName: group, ConsumerName: name,
		CursorPosition: consumerLibrary.BEGIN_CURSOR, InOrder: inOrder,
		HeartbeatIntervalInSecond: 1, HeartbeatTimeoutInSecond: 4, DataFetchIntervalInMs: 100,
		AutoCommitIntervalInMS: 500, AllowLogLevel: "error", HTTPClient: over,
	}
	if inOrder {
		// One of the members signs by version 4, with a token.
		config.AccessKeyID, config.AccessKeySecret, config.SecurityToken = t.env.stsKey, t.env.stsSecret, t.env.stsToken
		config.AuthVersion, config.Region = sls.AuthV4, region
	}
	m.worker = consumerLibrary.InitConsumerWorkerWithProcessor(config, m)
	m.worker.Start()
	return m
}

type callbacks struct{ done, failed atomic.Int64 }

func (c *callbacks) Success(*producer.Result) { c.done.Add(1) }

func (c *callbacks) Fail(result *producer.Result) {
	c.failed.Add(1)
	c.done.Add(1)
	_, _ = os.Stderr.WriteString(result.GetErrorCode() + " " + result.GetErrorMessage() + "\n")
}

func (t *try) producing() *producer.ProducerConfig {
	config := producer.GetDefaultProducerConfig()
	config.Endpoint = t.env.host
	config.AccessKeyID = t.env.key
	config.AccessKeySecret = t.env.secret
	config.HTTPClient = t.dialling()
	config.LingerMs = 200
	config.MaxBatchCount = 64
	config.MaxIoWorkerCount = 4
	config.Retries = 2
	config.AllowLogLevel = "error"
	return config
}

// produce waits for all results before it closes the producer: Close comes back while the last sends are under way.
func (t *try) produce(config *producer.ProducerConfig, count int, send func(*producer.Producer, producer.CallBack)) {
	results := &callbacks{}
	p := producer.InitProducer(config)
	p.Start()
	send(p, results)
	t.until("all results", 30*time.Second, func() bool { return results.done.Load() == int64(count) })
	t.equal("failed", results.failed.Load(), int64(0))
	t.must("close the producer", p.Close(20_000))
}

func tagKeys(group *sls.LogGroup) []string {
	keys := []string{}
	for _, tag := range group.LogTags {
		keys = append(keys, tag.GetKey())
	}
	return keys
}
