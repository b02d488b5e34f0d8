package demo

// The steps of a commit, as processortest.WithCommitStep names them.
const (
	stepBeforePrepare = "before-prepare"
	stepBeforeFlush   = "before-flush"
	stepAfterFlush    = "after-flush"
	stepAfterOffsets  = "after-offsets"
	stepAfterEnd      = "after-end" // from here on Kafka has it
	stepAfterApply    = "after-apply"
)

// stepsBefore are the steps at which a crash loses the commit.
func stepsBefore() []string {
	return []string{stepBeforePrepare, stepBeforeFlush, stepAfterFlush, stepAfterOffsets}
}

// steps are all steps, in their order.
func steps() []string { return append(stepsBefore(), stepAfterEnd, stepAfterApply) }
