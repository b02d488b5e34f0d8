package processortest

import (
	"context"

	"github.com/millrace/millrace/processor/internal/steps"
)

// WithCommitStep returns a context for processor.App.Run, under which at is called
// between the steps of each commit with the step's name: "before-prepare",
// "before-flush", "after-flush", "after-offsets", "after-end" (Kafka has the commit),
// "after-apply" (so has the local state). A test can kill the process there, or hold
// the commit up. Two commits of a worker may be on their way at once, and several
// goroutines call at. The steps are those of this version, not a promise.
func WithCommitStep(ctx context.Context, at func(step string)) context.Context {
	return steps.With(ctx, at)
}
