// Drives the official Go SDK, its consumer and its producer, against the log service that the environment names.
// Built twice: with go.mod for the newest version, and with go-old.mod for the one that signs as SLS and reads otherwise.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"sync"
	"syscall"
	"time"
)

const caseLimit = 100 * time.Second

type environment struct {
	host, port                  string
	key, secret                 string
	stsKey, stsSecret, stsToken string
	prefix                      string
}

func readEnvironment() environment {
	value := func(name string) string {
		found := os.Getenv(name)
		if found == "" {
			fmt.Fprintln(os.Stderr, name+" is not set")
			os.Exit(2)
		}
		return found
	}
	return environment{
		host: value("SLS_HOST"), port: value("SLS_PORT"),
		key: value("SLS_AK"), secret: value("SLS_SK"),
		stsKey: value("SLS_STS_AK"), stsSecret: value("SLS_STS_SK"), stsToken: value("SLS_STS_TOKEN"),
		prefix: value("SLS_PREFIX"),
	}
}

type reporter struct {
	out  *os.File
	lock sync.Mutex
}

// The loggers of the SDK print to standard output, which belongs to the reports: theirs goes to standard error.
func takeStandardOutput() *reporter {
	kept, err := syscall.Dup(1)
	if err == nil {
		err = syscall.Dup2(2, 1)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "standard output cannot be redirected:", err)
		os.Exit(2)
	}
	return &reporter{out: os.NewFile(uintptr(kept), "reports")}
}

func (r *reporter) report(id string, detail string) {
	line := map[string]any{"case": id, "ok": detail == ""}
	if detail != "" {
		line["detail"] = detail
	}
	text, _ := json.Marshal(line)
	r.lock.Lock()
	defer r.lock.Unlock()
	fmt.Fprintln(r.out, string(text))
}

// failure is what a probe panics with when something is not as it should be.
type failure struct{ detail string }

type probe struct {
	id  string
	run func(*try)
}

func outcome(p probe, t *try) (detail string) {
	defer func() {
		if cause := recover(); cause != nil {
			if expected, ok := cause.(failure); ok {
				detail = expected.detail
			} else {
				detail = fmt.Sprintf("panic: %v", cause)
			}
		}
	}()
	p.run(t)
	return ""
}

// A probe that never returns is reported as such and left behind: nothing in the SDK can be told to give up.
func judge(p probe, env environment, out *reporter) {
	done := make(chan string, 1)
	go func() { done <- outcome(p, &try{id: p.id, env: env, project: env.prefix + "go"}) }()
	select {
	case detail := <-done:
		out.report(p.id, detail)
	case <-time.After(caseLimit):
		out.report(p.id, fmt.Sprintf("not done within %v", caseLimit))
	}
}

func main() {
	out := takeStandardOutput()
	env := readEnvironment()

	setUp := probe{"set-up", func(t *try) {
		_, err := t.client().CreateProject(t.project, "shared by the cases")
		t.must("create project", err)
	}}
	if detail := outcome(setUp, &try{id: setUp.id, env: env, project: env.prefix + "go"}); detail != "" {
		fmt.Fprintln(os.Stderr, "no project to work in:", detail)
		os.Exit(1)
	}

	// The slow ones wait for heartbeats and timeouts most of the time, so they run beside the others.
	var slow sync.WaitGroup
	for _, p := range slowProbes {
		slow.Add(1)
		go func(p probe) {
			defer slow.Done()
			judge(p, env, out)
		}(p)
	}
	for _, list := range [][]probe{accessProbes, placeProbes, putProbes, readProbes, shardProbes, groupProbes, errorProbes} {
		for _, p := range list {
			judge(p, env, out)
		}
	}
	slow.Wait()
	os.Exit(0)
}
