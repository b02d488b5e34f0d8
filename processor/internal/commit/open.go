package commit

import (
	"context"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace/millrace/processor/internal/broker"
	"github.com/millrace/millrace/processor/internal/group"
)

// A Config is what the pipeline of a worker is made of.
type Config struct {
	Client []kgo.Opt // of all connections
	// TransactionalID is the prefix of those of the producers. It is empty for
	// at-least-once.
	TransactionalID    string
	TransactionTimeout time.Duration
	Stepped            bool                     // transaction.version is below 2
	LargestBatch       func(topic string) int32 // called by the clients' goroutines
	Faults             *CommitFaults
	// Warn is told of failures that are tried again.
	Warn func(error)
}

// Open opens the producers, one for each commit, and then the pipeline. Whatever
// earlier holders of the transactional ids had open is aborted by that. The offsets
// are those of the worker's group; the waker is woken when something has landed.
func Open(ctx context.Context, cfg Config, offsets *group.Offsets, w *broker.Waker) (*Pipeline, error) {
	var producers [depth]*producer
	for i := range producers {
		txnID := ""
		if cfg.TransactionalID != "" {
			txnID = fmt.Sprintf("%s-%d", cfg.TransactionalID, i)
		}
		producers[i] = newProducer(&cfg, txnID)
		if err := producers[i].open(ctx, cfg.Warn); err != nil {
			for _, p := range producers[:i] {
				p.close()
			}
			return nil, err
		}
	}
	p := New(newCommitter(&cfg, offsets), cfg.Faults, w)
	for i := range producers {
		p.commits[i].producer = producers[i]
	}
	return p, nil
}

func newCommitter(cfg *Config, offsets *group.Offsets) Committer {
	if cfg.TransactionalID == "" {
		return &atLeastOnce{offsets, cfg.Faults}
	}
	return &exactlyOnce{offsets, cfg.Stepped, cfg.Faults}
}
