package stream_test

import (
	"strings"
	"testing"

	"github.com/millrace/millrace/processor/stream"
)

// TestDeadLettersNeedATopicThatNobodyReads: a topic without a name would fail at
// the first dead letter; one that is read would go round without end.
func TestDeadLettersNeedATopicThatNobodyReads(t *testing.T) {
	for topic, want := range map[string]string{
		"":           "the dead-letter topic has no name",
		numbers.Name: `the dead-letter topic "numbers" is read by "source:numbers"`,
		dead.Name:    "",
		"by-key":     "", // the repartition's own topic has a longer name
	} {
		t.Run(topic, func(t *testing.T) {
			b := stream.New("letters")
			b.DeadLetter(topic)
			stream.To(stream.Repartition("by-key", stream.From(b, numbers), numbers.Key, numbers.Value), results)
			switch _, err := b.Build(); {
			case want == "" && err != nil:
				t.Error(err)
			case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
				t.Errorf("the error does not say %q: %v", want, err)
			}
		})
	}
}

// TestFailuresAreNotRouted: they are dead letters anyway, and a name that had no
// effect would mislead. All reasons can be asked for.
func TestFailuresAreNotRouted(t *testing.T) {
	b := stream.New("letters")
	b.DeadLetter(dead.Name, stream.Late, stream.Decode, stream.Failed, stream.Refused)
	stream.To(stream.From(b, numbers), results)
	for _, reason := range []string{"decode", "process", "refused"} {
		mustComplain(t, b, `dead-letter topic "dead": `+reason+" is no reason for which an operator drops records")
	}
	h := stream.New("hashed")
	h.HashedDeadLetter(dead.Name, stream.Decode)
	stream.To(stream.From(h, numbers), results)
	mustComplain(t, h, "decode is no reason")
}
