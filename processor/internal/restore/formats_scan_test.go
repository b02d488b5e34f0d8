package restore

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/millrace/millrace/processor/internal/broker"
	"github.com/millrace/millrace/processor/internal/graph"
	"github.com/millrace/millrace/processor/internal/group"
	"github.com/millrace/millrace/processor/internal/task"
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
	s := Look{
		Client:   []kgo.Opt{kgo.SeedBrokers(l.cluster.ListenAddrs()...)},
		Requests: l.client(),
		Warn:     func(err error) { l.t.Log(err) },
	}
	return s.Formats(l.t.Context(), map[string]*graph.Format{scanned: own}, map[broker.TopicPartition]group.Committed{}, map[string][]int32{scanned: {0}})
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

// The version that still runs deletes what it has processed, also after the look has asked where the log ends.
func TestFormatsOfWhatIsDeletedMeanwhile(t *testing.T) {
	t.Parallel()
	texts := graph.NewFormat(state.Trait{Value: "string"}, state.Trait{Value: "string"})
	l := newScanLog(t)
	l.begin("writer", texts)(kgo.TryCommit)
	client := l.client()
	deleted := kadm.Offsets{}
	deleted.AddOffset(scanned, 0, 3, -1)
	if answers, err := kadm.NewClient(client).DeleteRecords(t.Context(), deleted); err != nil || answers.Error() != nil {
		t.Fatal(err, answers.Error())
	}
	tp := broker.TopicPartition{Topic: scanned}
	check := task.NewFormatCheck(texts, task.Meta{})
	u := reading{
		from: map[broker.TopicPartition]int64{tp: 0},
		ends: map[broker.TopicPartition]int64{tp: 3},
		take: func(_ broker.TopicPartition, rec *kgo.Record) error { return readable(check, rec) },
	}
	s := Look{Client: []kgo.Opt{kgo.SeedBrokers(l.cluster.ListenAddrs()...)}, Requests: client, Warn: func(error) {}}
	if err := s.read(t.Context(), &u); err != nil {
		t.Error(err)
	}
}

// A topic that may not be read ends the look with words.
func TestFormatsThatMayNotBeRead(t *testing.T) {
	t.Parallel()
	texts := graph.NewFormat(state.Trait{Value: "string"}, state.Trait{Value: "string"})
	l := newScanLog(t)
	l.begin("writer", texts)(kgo.TryCommit)
	l.cluster.ControlKey(int16(kmsg.Fetch), func(asked kmsg.Request) (kmsg.Response, error, bool) {
		l.cluster.KeepControl()
		answer := asked.ResponseKind().(*kmsg.FetchResponse)
		for _, of := range asked.(*kmsg.FetchRequest).Topics {
			topic := kmsg.NewFetchResponseTopic()
			topic.Topic, topic.TopicID = of.Topic, of.TopicID
			for _, p := range of.Partitions {
				partition := kmsg.NewFetchResponseTopicPartition()
				partition.Partition, partition.ErrorCode = p.Partition, kerr.TopicAuthorizationFailed.Code
				topic.Partitions = append(topic.Partitions, partition)
			}
			answer.Topics = append(answer.Topics, topic)
		}
		return answer, nil, true
	})
	if err := l.scan(texts); !errors.Is(err, kerr.TopicAuthorizationFailed) || !strings.Contains(err.Error(), scanned) {
		t.Error(err)
	}
}

// A stamp comes behind what headers user code has set, of whatever name.
func TestStampBehindHeadersOfUsers(t *testing.T) {
	want := graph.Stamp{Tasks: 3, Control: true}
	r := &kgo.Record{Headers: []kgo.RecordHeader{{Key: graph.HeaderStamp, Value: []byte("a user's")}, {Key: graph.HeaderStamp, Value: want.Append(nil)}}}
	if got, ok := stampOf(r); !ok || got.Tasks != want.Tasks || !tellsTime(r) {
		t.Errorf("%+v, %v", got, ok)
	}
}
