package restore

import (
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace/millrace/processor/internal/group"
	"github.com/millrace/millrace/processor/internal/topics"
	"github.com/millrace/millrace/state"
)

// A Config is what a restorer is made of.
type Config struct {
	ApplicationID string
	Client        []kgo.Opt // of all connections
	Storage       state.Storage
	AtLeastOnce   bool     // offsets may be behind the state
	Run           string   // the name of a bounded run; empty live
	AcceptRemade  []string // topics that were made anew and whose loss is accepted
	// Now is the wall clock: it measures the age of a state that was closed.
	Now    func() time.Time
	Faults *RestoreFaults

	Topics   *topics.Catalog // read only
	Offsets  *group.Offsets
	Requests *kgo.Client // for requests; somebody else's
	// Who is the worker in its group at the moment. The restorer's goroutine calls it.
	Who func() group.Identity
}

// RestoreFaults are for tests only: each switch plants one known bug.
type RestoreFaults struct {
	NoRestore    bool // changelogs are not read
	RestoreToLSO bool // restores to the last stable offset instead of the end
	NoWatermark  bool // watermarks are not taken up again
}

// accepts reports whether the loss of what was in a topic is accepted.
func (c *Config) accepts(topic string) bool { return slices.Contains(c.AcceptRemade, topic) }
