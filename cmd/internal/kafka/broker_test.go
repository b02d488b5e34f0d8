//go:build kafka

package kafka

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// TestBroker shows that the broker is one that exactly-once can be proved on:
// transactions of version 2 that commit and abort, seen by a read-committed
// consumer; and that it stops and leaves nothing behind.
func TestBroker(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	began := time.Now()
	b := ForTest(t, Options{Properties: map[string]string{"num.partitions": "3"}})
	t.Logf("ready after %v, process %d", time.Since(began).Round(10*time.Millisecond), b.PID())

	if level := featureLevel(ctx, t, b, "transaction.version"); level != 2 {
		t.Errorf("transaction.version is %d, want 2", level)
	}
	createTopic(ctx, t, b, "numbers")
	produce(ctx, t, b, "numbers", 0, kgo.TryAbort)
	produce(ctx, t, b, "numbers", 100, kgo.TryCommit)
	if got, want := consume(ctx, t, b, "numbers", 10), span(100, 10); !slices.Equal(got, want) {
		t.Errorf("read %v, want %v", got, want)
	}

	if err := b.Stop(ctx); err != nil {
		t.Error(err)
	}
	if c, err := net.Dial("tcp", b.Addr()); err == nil {
		t.Error("somebody still listens", c.Close())
	}
	if _, err := os.Stat(b.dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the data is still there: %v", err)
	}
}

func TestKill(t *testing.T) {
	b := ForTest(t, Options{})
	if err := b.Kill(); err != nil {
		t.Error(err)
	}
	if c, err := net.Dial("tcp", b.Addr()); err == nil {
		t.Error("somebody still listens", c.Close())
	}
}

// A broker that cannot start says why.
func TestBadSettings(t *testing.T) {
	ForTest(t, Options{}) // skips where there is none
	b, err := Start(t.Context(), Options{Properties: map[string]string{"num.partitions": "many"}})
	if b != nil || err == nil || errors.Is(err, ErrUnavailable) {
		t.Fatalf("got %v, %v", b, err)
	}
	t.Log(err)
}

func client(t *testing.T, b *Broker, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	cl, err := kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(b.Addr())}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Close)
	return cl
}

// featureLevel is the finalized level of a cluster feature.
func featureLevel(ctx context.Context, t *testing.T, b *Broker, name string) int16 {
	t.Helper()
	req := kmsg.NewPtrApiVersionsRequest()
	req.ClientSoftwareName, req.ClientSoftwareVersion = "millrace", "test"
	resp, err := req.RequestWith(ctx, client(t, b))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range resp.FinalizedFeatures {
		if f.Name == name {
			return f.MaxVersionLevel
		}
	}
	return -1
}

func createTopic(ctx context.Context, t *testing.T, b *Broker, topic string) {
	t.Helper()
	resp, err := kadm.NewClient(client(t, b)).CreateTopic(ctx, -1, 1, nil, topic)
	if err != nil || resp.NumPartitions != 3 {
		t.Fatalf("topic with %d partitions, want 3: %v", resp.NumPartitions, err)
	}
}

// produce writes ten numbers from first on in one transaction.
func produce(ctx context.Context, t *testing.T, b *Broker, topic string, first int, end kgo.TransactionEndTry) {
	t.Helper()
	cl := client(t, b, kgo.TransactionalID("numbers"), kgo.DefaultProduceTopic(topic))
	if err := cl.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	for _, v := range span(first, 10) {
		cl.Produce(ctx, kgo.StringRecord(v), func(_ *kgo.Record, err error) {
			if err != nil {
				t.Error(err)
			}
		})
	}
	if err := cl.Flush(ctx); err != nil {
		t.Fatal(err)
	}
	if err := cl.EndTransaction(ctx, end); err != nil {
		t.Fatal(err)
	}
}

// consume reads n committed records and sorts them.
func consume(ctx context.Context, t *testing.T, b *Broker, topic string, n int) (values []string) {
	t.Helper()
	cl := client(t, b, kgo.ConsumeTopics(topic), kgo.FetchIsolationLevel(kgo.ReadCommitted()))
	for len(values) < n {
		fetches := cl.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			t.Fatal(err)
		}
		fetches.EachRecord(func(r *kgo.Record) { values = append(values, string(r.Value)) })
	}
	slices.Sort(values)
	return values
}

func span(first, n int) (values []string) {
	for i := range n {
		values = append(values, fmt.Sprintf("%04d", first+i))
	}
	return values
}
