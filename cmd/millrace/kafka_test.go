//go:build kafka

package main

import (
	"regexp"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace/millrace/cmd/internal/kafka"
)

// TestDemoOnKafka: on a real broker, too, the crashes leave no trace, and what
// is left there stops a second run until it is deleted.
func TestDemoOnKafka(t *testing.T) {
	broker := kafka.ForTest(t, kafka.Options{})
	log := brokenLog(lateLog(1), 1)
	judge(t, log, "--brokers", broker.Addr(), "--crash", "5")
	_, stderr, code := millrace(t, "demo", "--brokers", broker.Addr())
	told := regexp.MustCompile(`--delete --topic '(\S+)'`).FindStringSubmatch(stderr)
	if code != 1 || told == nil {
		t.Fatalf("the second run: exit code %d:\n%s", code, stderr)
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(broker.Addr()))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	topics := strings.Split(strings.ReplaceAll(told[1], `\`, ""), "|")
	deleted, err := kadm.NewClient(client).DeleteTopics(t.Context(), topics...)
	if err == nil {
		err = deleted.Error()
	}
	if err != nil {
		t.Fatalf("delete %v: %v", topics, err)
	}
	judge(t, log, "--brokers", broker.Addr())
}

// TestResetOnKafka: a real broker says what the embedded one says, also of a
// group that it has never heard of.
func TestResetOnKafka(t *testing.T) {
	broker := kafka.ForTest(t, kafka.Options{})
	if stdout, stderr, code := millrace(t, "reset", "--application-id", "nobody", "--brokers", broker.Addr()); code != 0 || !strings.HasPrefix(string(stdout), "nothing to do") {
		t.Errorf("of nobody: exit code %d\n%s%s", code, stdout, stderr)
	}
	resetDemo(t, broker.Addr())
}
