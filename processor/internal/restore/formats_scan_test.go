package restore

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace/millrace/processor/internal/broker"
	"github.com/millrace/millrace/processor/internal/graph"
	"github.com/millrace/millrace/processor/internal/group"
	"github.com/millrace/millrace/state"
)

const scanned = "app-by-repartition"

// scanLog is a repartition topic that transactions are written to.
type scanLog struct {
	t       *testing.T
	cluster *kfake.Cluster
}

func newScanLog(t *testing.T) *scanLog {
	c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, scanned))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return &scanLog{t, c}
}

func (l *scanLog) client(opts ...kgo.Opt) *kgo.Client {
	client, err := kgo.NewClient(append(opts, kgo.SeedBrokers(l.cluster.ListenAddrs()...))...)
	if err != nil {
		l.t.Fatal(err)
	}
	l.t.Cleanup(client.Close)
	return client
}

// begin writes two records of a format in a transaction, which stays open until end is called.
func (l *scanLog) begin(id string, f *graph.Format) (end func(kgo.TransactionEndTry)) {
	l.t.Helper()
	client := l.client(kgo.TransactionalID(id))
	if err := client.BeginTransaction(); err != nil {
		l.t.Fatal(err)
	}
	told := graph.Stamp{Tasks: 1, Control: true, Format: f.Hash(), Words: []byte(f.Words())}
	for _, s := range []graph.Stamp{told, {Tasks: 1, Format: f.Hash()}} {
		r := &kgo.Record{Topic: scanned, Key: []byte("k"), Headers: []kgo.RecordHeader{{Key: graph.HeaderStamp, Value: s.Append(nil)}}}
		if err := client.ProduceSync(context.Background(), r).FirstErr(); err != nil {
			l.t.Fatal(err)
		}
	}
	return func(how kgo.TransactionEndTry) {
		l.t.Helper()
		if err := client.EndTransaction(context.Background(), how); err != nil {
			l.t.Fatal(err)
		}
	}
}

// scan looks at all of the log for a version that reads own.
func (l *scanLog) scan(own *graph.Format) error {
	s := FormatScan{
		Client:   []kgo.Opt{kgo.SeedBrokers(l.cluster.ListenAddrs()...)},
		Requests: l.client(),
		Warn:     func(err error) { l.t.Log(err) },
	}
	return s.Run(l.t.Context(), map[string]*graph.Format{scanned: own}, map[broker.TopicPartition]group.Committed{}, map[string][]int32{scanned: {0}})
}

// What was aborted nobody will read, and what is not committed yet may be: neither refuses a version, and neither keeps
// it from starting. What was committed does refuse it.
func TestFormatsAmongTransactions(t *testing.T) {
	numbers := graph.NewFormat(state.Trait{Value: "string"}, state.Trait{Value: "int64"})
	texts := graph.NewFormat(state.Trait{Value: "string"}, state.Trait{Value: "string"})
	l := newScanLog(t)
	l.begin("aborted", texts)(kgo.TryAbort)
	if err := l.scan(numbers); err != nil {
		t.Errorf("nothing but what was aborted: %v", err)
	}
	l.begin("committed", numbers)(kgo.TryCommit)
	l.begin("aborted at the end", texts)(kgo.TryAbort)
	end := l.begin("open", texts)
	if err := l.scan(numbers); err != nil {
		t.Errorf("committed is what this version reads, another is open: %v", err)
	}
	if err := l.scan(texts); !errors.Is(err, broker.ErrReset) || !strings.Contains(err.Error(), "from offset 3 on") {
		t.Errorf("committed is what this version does not read: %v", err)
	}
	end(kgo.TryCommit)
	if err := l.scan(numbers); !errors.Is(err, broker.ErrReset) {
		t.Errorf("what was open is committed now: %v", err)
	}
}
