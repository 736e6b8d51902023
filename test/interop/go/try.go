package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"reflect"
	"strconv"
	"time"

	sls "github.com/aliyun/aliyun-log-go-sdk"
	"github.com/gogo/protobuf/proto"
)

const region = "cn-hangzhou"

// One time for all logs, so that a group built twice is the same group.
var logTime = uint32(time.Now().Unix())

// try is one run of one probe: its clients, its logstore, and the words to say what went wrong.
type try struct {
	id      string
	env     environment
	project string
}

func (t *try) fail(format string, values ...any) { panic(failure{fmt.Sprintf(format, values...)}) }

func (t *try) must(what string, err error) {
	if err != nil {
		t.fail("%s: %v", what, err)
	}
}

func (t *try) equal(what string, got, want any) {
	if !reflect.DeepEqual(got, want) {
		t.fail("%s is %v, not %v", what, got, want)
	}
}

func (t *try) holds(condition bool, format string, values ...any) {
	if !condition {
		t.fail(format, values...)
	}
}

// refused checks status (0: any) and code of an error of the SDK.
func (t *try) refused(err error, status int32, code string) *sls.Error {
	if err == nil {
		t.fail("no error, where %s was expected", code)
	}
	refusal, ok := err.(*sls.Error)
	if !ok {
		t.fail("%T instead of a service error: %v", err, err)
	}
	if refusal.Code != code || (status != 0 && refusal.HTTPCode != status) {
		t.fail("%d %s (%s) instead of %d %s", refusal.HTTPCode, refusal.Code, refusal.Message, status, code)
	}
	return refusal
}

// until asks again and again, and fails when the answer is still no after the limit.
func (t *try) until(what string, limit time.Duration, ask func() bool) {
	for end := time.Now().Add(limit); !ask(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			t.fail("%s: not within %v", what, limit)
		}
	}
}

// dialling gives an HTTP client that connects to the service, whatever the host of the URL is.
func (t *try) dialling() *http.Client {
	dialer := net.Dialer{Timeout: 5 * time.Second}
	return &http.Client{
		Timeout: 30 * time.Second,
		Transport: &http.Transport{
			DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
				return dialer.DialContext(ctx, network, "127.0.0.1:"+t.env.port)
			},
			MaxIdleConnsPerHost: 8,
		},
	}
}

// proxied gives an HTTP client that takes the service for a proxy, and so sends absolute-form targets.
func (t *try) proxied() *http.Client {
	proxy := &url.URL{Scheme: "http", Host: "127.0.0.1:" + t.env.port}
	return &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{Proxy: http.ProxyURL(proxy)}}
}

func (t *try) clientAs(endpoint, key, secret, token string, over *http.Client) *sls.Client {
	client := sls.CreateNormalInterface(endpoint, key, secret, token).(*sls.Client)
	client.SetHTTPClient(over)
	client.SetRetryTimeout(10 * time.Second)
	return client
}

func (t *try) client() *sls.Client {
	return t.clientAs(t.env.host, t.env.key, t.env.secret, "", t.dialling())
}

func (t *try) stsClient() *sls.Client {
	return t.clientAs(t.env.host, t.env.stsKey, t.env.stsSecret, t.env.stsToken, t.dialling())
}

func signingV4(client *sls.Client) *sls.Client {
	client.SetAuthVersion(sls.AuthV4)
	client.SetRegion(region)
	return client
}

// logstore makes the logstore of this case, called like the case.
func (t *try) logstore(client *sls.Client, shards int) string {
	t.must("create logstore", client.CreateLogStore(t.project, t.id, 7, shards, false, 0))
	return t.id
}

func (t *try) put(client *sls.Client, store string, groups ...*sls.LogGroup) {
	for _, group := range groups {
		t.must("put", client.PutLogs(t.project, store, group))
	}
}

func (t *try) putTo(client *sls.Client, store, key string, groups ...*sls.LogGroup) {
	for _, group := range groups {
		t.must("put by key", client.PostLogStoreLogs(t.project, store, group, &key))
	}
}

func (t *try) cursor(client *sls.Client, store string, shard int, from string) string {
	cursor, err := client.GetCursor(t.project, store, shard, from)
	t.must("cursor of "+from, err)
	return cursor
}

func (t *try) pull(client *sls.Client, store string, shard int, cursor, end string, count int) ([]*sls.LogGroup, string) {
	list, next, err := client.PullLogs(t.project, store, shard, cursor, end, count)
	t.must("pull", err)
	return list.LogGroups, next
}

// all reads a shard from begin to end.
func (t *try) all(client *sls.Client, store string, shard int) []*sls.LogGroup {
	var groups []*sls.LogGroup
	for cursor := t.cursor(client, store, shard, "begin"); ; {
		some, next := t.pull(client, store, shard, cursor, "", 1000)
		groups = append(groups, some...)
		if next == cursor {
			return groups
		}
		cursor = next
	}
}

// everywhere reads all shards of a logstore.
func (t *try) everywhere(client *sls.Client, store string) []*sls.LogGroup {
	shards, err := client.ListShards(t.project, store)
	t.must("list shards", err)
	var groups []*sls.LogGroup
	for _, shard := range shards {
		groups = append(groups, t.all(client, store, shard.ShardID)...)
	}
	return groups
}

// same compares groups by the bytes they are sent as.
func (t *try) same(what string, got, want *sls.LogGroup) {
	gotBytes, err := proto.Marshal(got)
	t.must("encode "+what, err)
	wantBytes, err := proto.Marshal(want)
	t.must("encode "+what, err)
	if !bytes.Equal(gotBytes, wantBytes) {
		t.fail("%s is %s, not %s", what, hex.EncodeToString(gotBytes), hex.EncodeToString(wantBytes))
	}
}

// number is the integer a cursor stands for; the SDK itself counts with it.
func (t *try) number(cursor string) int64 {
	text, err := base64.StdEncoding.DecodeString(cursor)
	t.must("decode cursor", err)
	number, err := strconv.ParseInt(string(text), 10, 64)
	t.must("read cursor", err)
	return number
}

func cursorOf(number int64) string {
	return base64.StdEncoding.EncodeToString([]byte(strconv.FormatInt(number, 10)))
}

// numbered is a group of one log that can be told from the others by its field n.
func numbered(n int) *sls.LogGroup {
	return &sls.LogGroup{
		Topic:  proto.String("topic-1"),
		Source: proto.String("127.0.0.1"),
		Logs:   []*sls.Log{numberedLog(n)},
	}
}

func numberedLog(n int) *sls.Log {
	return &sls.Log{
		Time: proto.Uint32(logTime),
		Contents: []*sls.LogContent{
			{Key: proto.String("n"), Value: proto.String(strconv.Itoa(n))},
			{Key: proto.String("msg"), Value: proto.String("你好 hello hello hello hello")},
		},
	}
}

func numberedGroups(from, to int) []*sls.LogGroup {
	var groups []*sls.LogGroup
	for n := from; n < to; n++ {
		groups = append(groups, numbered(n))
	}
	return groups
}

// numbersOf lists the field n of every log.
func numbersOf(groups []*sls.LogGroup) []string {
	numbers := []string{}
	for _, group := range groups {
		for _, log := range group.Logs {
			for _, content := range log.Contents {
				if content.GetKey() == "n" {
					numbers = append(numbers, content.GetValue())
				}
			}
		}
	}
	return numbers
}

func numbersFrom(from, to int) []string {
	numbers := []string{}
	for n := from; n < to; n++ {
		numbers = append(numbers, strconv.Itoa(n))
	}
	return numbers
}
