package processor_test

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/processor"
	"github.com/millrace/millrace/processor/stream"
)

func TestValidateComplainsOfEverythingAtOnce(t *testing.T) {
	bad := processor.Config{
		ApplicationID: "no spaces", Guarantee: 9, Workers: -1, CommitInterval: time.Microsecond, CommitRecords: -1,
		TransactionTimeout: time.Nanosecond, SessionTimeout: time.Second, HeartbeatInterval: time.Second, Drain: -1,
		StateMemory: 1, BoundedRun: strings.Repeat("x", 256),
	}
	err := bad.Validate()
	if err == nil {
		t.Fatal("accepted")
	}
	for _, field := range []string{
		"ApplicationID", "Brokers", "Guarantee", "Workers", "CommitInterval", "CommitRecords", "TransactionTimeout",
		"HeartbeatInterval", "Drain", "BoundedRun", "StateMemory",
	} {
		if !strings.Contains(err.Error(), field) {
			t.Errorf("no complaint about %s in:\n%v", field, err)
		}
	}
}

func TestTheSmallestConfigIsValid(t *testing.T) {
	ok := processor.Config{ApplicationID: "app", Brokers: []string{"localhost:9092"}}
	if err := ok.Validate(); err != nil {
		t.Error(err)
	}
	ok.CommitInterval = time.Minute // the transaction timeout follows
	if err := ok.Validate(); err != nil {
		t.Error(err)
	}
}

// TestTimeoutsAreComparedWithDefaults: what is not set is not 0, and nothing is
// left for the Kafka client to find, which does not know the names.
func TestTimeoutsAreComparedWithDefaults(t *testing.T) {
	for name, c := range map[string]struct {
		processor.Config
		want string // empty: it is valid
	}{
		"a session as short as a heartbeat":   {processor.Config{SessionTimeout: 3 * time.Second}, "HeartbeatInterval 3s is not below SessionTimeout 3s"},
		"a heartbeat longer than the session": {processor.Config{HeartbeatInterval: time.Minute}, "HeartbeatInterval 1m0s is not below SessionTimeout 45s"},
		"both":                                {processor.Config{SessionTimeout: time.Second, HeartbeatInterval: 300 * time.Millisecond}, ""},
		"a session the client does not take":  {processor.Config{SessionTimeout: 50 * time.Millisecond, HeartbeatInterval: 1}, "SessionTimeout is 50ms, not from 100ms"},
		"a session the protocol cannot say":   {processor.Config{SessionTimeout: 720 * time.Hour}, "SessionTimeout is 720h0m0s, not from 100ms"},
		"an interval beyond any double":       {processor.Config{CommitInterval: math.MaxInt64}, "less than twice the CommitInterval"},
		"a timeout the protocol cannot say":   {processor.Config{TransactionTimeout: 720 * time.Hour}, "TransactionTimeout is 720h0m0s, more than"},
		"the longest interval":                {processor.Config{CommitInterval: 12 * 24 * time.Hour}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			c.ApplicationID, c.Brokers = "app", []string{"localhost:9092"}
			switch err := c.Validate(); {
			case c.want == "" && err != nil:
				t.Error(err)
			case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
				t.Errorf("the error does not say %q: %v", c.want, err)
			}
		})
	}
}

func TestWithoutATopologyThereIsNoApp(t *testing.T) {
	_, err := processor.New(nil, processor.Config{})
	for _, want := range []string{"the topology is nil", "ApplicationID"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("the error does not mention %s: %v", want, err)
		}
	}
}

// TestAcceptRemadeNamesInternalTopics: a name that is none would be taken for an
// answer and be none.
func TestAcceptRemadeNamesInternalTopics(t *testing.T) {
	b := stream.New("app")
	byValue(b)
	topology, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	cfg := processor.Config{ApplicationID: "app", Brokers: []string{"localhost:9092"}, AcceptRemade: []string{"app-totals-changelog", "totals", "words"}}
	_, err = processor.New(topology, cfg)
	if err == nil || strings.Contains(err.Error(), `names "app-totals`) {
		t.Errorf("the error is %v", err)
	}
	for _, want := range []string{`AcceptRemade names "totals"`, `AcceptRemade names "words"`, `those are ["app-by-value-repartition" "app-totals-changelog"]`} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("it does not say %s: %v", want, err)
		}
	}
	cfg.AcceptRemade = cfg.AcceptRemade[:1]
	if _, err := processor.New(topology, cfg); err != nil {
		t.Error(err)
	}
}
