// Package reset makes an application start over: it forgets the group's
// committed offsets, the internal topics and the local state. Everything is
// first written down in a plan, and only a plan can be executed.
package reset

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace/millrace/processor/internal/graph"
)

// Config says what is to start over. ApplicationID and Client are needed.
type Config struct {
	ApplicationID string
	// Client are the options of the connections, seed brokers among them.
	Client []kgo.Opt
	// Graph is the topology that ran under the id, so that the names of its
	// internal topics are known; nil if it is not at hand.
	Graph *graph.Topology
	// InputTopics are those whose offsets are forgotten; nil is all.
	InputTopics []string
	// InternalTopics are topics that are the application's. If it is not nil,
	// nothing else is taken for one but those of Graph, and those that the
	// group's own offsets tell of.
	InternalTopics []string
	// StateDir is the application's own state directory; empty leaves local
	// state alone.
	StateDir string
}

// A Plan says what a reset is going to do, and does it. It is not changed once
// it is made and may be shown to anybody.
type Plan struct {
	// ApplicationID is the application's, and the name of its group.
	ApplicationID string
	// Group says that the group exists and is going to be deleted whole.
	Group bool
	// Offsets are the committed offsets of the group, by topic and partition.
	Offsets []Offset
	// Topics are all topics that could be internal ones of the application, by
	// name.
	Topics []Topic
	// StateDir is the directory that is going to be removed; empty if there is
	// none.
	StateDir string

	cfg Config
}

// An Offset is a committed offset of the group.
type Offset struct {
	Topic     string
	Partition int32
	Committed int64
	// Begin is the first offset that the topic still has, where the
	// application goes on after the reset; -1 if the topic is gone.
	Begin int64
	// Keep says that the offset stays, for its topic is not among the input
	// topics that were named.
	Keep bool
	// Note is what is special about it; may be empty.
	Note string
}

// A Topic is one that could be an internal topic of the application.
type Topic struct {
	Name       string
	Partitions int
	Action     Action
	Why        string // in words
}

// An Action is what becomes of a topic.
type Action uint8

// The actions.
const (
	Delete Action = iota // it is the application's
	Keep                 // it is not
	Ask                  // it may be; a human has to say so
	Gone                 // it was named, and there is no such topic
)

// String returns the action as a word.
func (a Action) String() string { return [...]string{"delete", "keep", "ask", "gone"}[a] }

// lookTimeout bounds the making of a plan.
const lookTimeout = 60 * time.Second

// Make looks at the cluster and the state directory and changes nothing. It
// fails if the application is running: while its group has members, or its
// state directory is in use.
func Make(ctx context.Context, cfg Config) (*Plan, error) {
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	p := &Plan{ApplicationID: cfg.ApplicationID, cfg: cfg}
	if err := p.findState(); err != nil {
		return nil, err
	}
	c, err := connect(ctx, &cfg)
	if err != nil {
		return nil, err
	}
	defer c.close()
	exists, err := c.idle(ctx)
	if err != nil {
		return nil, err
	}
	offsets, err := c.offsets(ctx)
	if err != nil {
		return nil, err
	}
	p.Group = cfg.InputTopics == nil && (exists || len(offsets) > 0)
	if p.Topics, err = c.internalTopics(ctx, offsets); err != nil {
		return nil, err
	}
	p.Offsets, err = c.plannedOffsets(ctx, offsets, p.names(Delete))
	return p, err
}

// Nothing says that there is nothing to do: the application has never run, or
// was reset already.
func (p *Plan) Nothing() bool {
	forgotten := slices.ContainsFunc(p.Offsets, func(o Offset) bool { return !o.Keep })
	return !p.Group && !forgotten && len(p.names(Delete)) == 0 && len(p.Undecided()) == 0 && p.StateDir == ""
}

// Undecided returns the names of the topics that may be the application's.
// Until a human has decided about them, by naming those that are in
// InternalTopics, the plan cannot be executed.
func (p *Plan) Undecided() []string { return p.names(Ask) }

// Internal returns the names of the topics that are, or may be, the
// application's.
func (p *Plan) Internal() []string {
	all := slices.Concat(p.names(Delete), p.names(Ask))
	slices.Sort(all)
	return all
}

func (p *Plan) names(a Action) (names []string) {
	for _, t := range p.Topics {
		if t.Action == a {
			names = append(names, t.Name)
		}
	}
	return names
}

func (p *Plan) undecidedError() error {
	return fmt.Errorf("nothing is reset: it is not certain that the topics %q belong to application %q; name those that do as internal topics", p.Undecided(), p.ApplicationID)
}
