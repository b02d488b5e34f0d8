package processor_test

import (
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/processor"
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
