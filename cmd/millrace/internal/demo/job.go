package demo

import (
	"context"

	"github.com/millrace/millrace/processor"
	"github.com/millrace/millrace/processor/processortest"
	"github.com/millrace/millrace/processor/stream"
)

// A Job is one run of the processor over what is loaded, in this process or in
// one of its own. Started again with the same fields, it goes on where it was.
type Job struct {
	Brokers       []string
	StateDir      string
	BoundedRun    string
	CommitRecords int // commit at the latest after that many; 0 is the runtime's bound
}

// Run processes until the end of the topic as it was when the run was first
// started. It calls step at each step of a commit, and warn for what is worth
// knowing but stops nothing.
func (j Job) Run(ctx context.Context, step func(string), warn func(error)) error {
	b := stream.New(applicationID)
	Build(b)
	topology, err := b.Build()
	if err != nil {
		return err
	}
	app, err := processor.New(topology, processor.Config{
		ApplicationID: applicationID, Brokers: j.Brokers, StateDir: j.StateDir,
		BoundedRun: j.BoundedRun, CommitRecords: j.CommitRecords,
		Events: processor.EventListener{Warning: warn},
	})
	if err != nil {
		return err
	}
	return app.Run(processortest.WithCommitStep(ctx, step))
}
