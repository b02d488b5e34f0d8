package commit

import "context"

// An Outcome is what became of a commit.
type Outcome uint8

// The outcomes.
const (
	Committed Outcome = iota // Kafka has all of it
	Aborted                  // Kafka has none of it, and never will
	Unknown                  // one of the two; only Kafka can say
)

// A Verdict is the outcome of a commit with its reason.
type Verdict struct {
	Outcome Outcome
	Err     error // the reason, unless Committed
	Doubt   bool  // the producer's transaction is in an unclear state: open a new client
}

// A Committer brings a commit into Kafka, in the two stages of the pipeline. One of
// them gives exactly-once, the other at-least-once; everything around them is
// the same. Each method has the commit alone while it runs.
type Committer interface {
	// Write sends everything but the offsets and waits until all of it is
	// acknowledged.
	Write(ctx context.Context, b *WorkerCommit) Verdict
	// Finish makes final what was written.
	Finish(ctx context.Context, b *WorkerCommit) Verdict
	// Abandon undoes what was written, as far as it can be.
	Abandon(ctx context.Context, b *WorkerCommit, reason error) Verdict
}
