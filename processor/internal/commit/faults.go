package commit

// A Step is a point of the commit cycle at which a test can intervene.
type Step uint8

// The steps, in their order.
const (
	BeforePrepare Step = iota // there is something to commit
	BeforeFlush               // outputs and changelog are on their way, the transaction is open
	AfterFlush                // all are acknowledged
	AfterOffsets              // the offsets are in the transaction
	AfterEnd                  // Kafka has committed; the local state has not been told
	AfterApply                // everything is done
	StepCount                 // the number of steps
)

// String is the name of the step in a configuration.
func (s Step) String() string { return stepNames[s] }

var stepNames = [StepCount]string{"before-prepare", "before-flush", "after-flush", "after-offsets", "after-end", "after-apply"}

// CommitFaults are for tests only: the zero value is the pipeline as it is shipped.
//
// At is called at each step of a commit and may end the worker there, by a
// panic, runtime.Goexit or os.Exit, or hold it up. From BeforeFlush to AfterOffsets
// the goroutines of the pipeline call it, before and after that the worker's own.
//
// The switches plant one known bug each.
type CommitFaults struct {
	At func(Step)

	NoG1         bool // results of produced records are not looked at
	SendEarly    bool // sends a commit before the one before is acknowledged
	CommitBehind bool // commits what is behind a commit that failed
}

// Reach calls At, if there is one.
func (f *CommitFaults) Reach(s Step) {
	if f.At != nil {
		f.At(s)
	}
}
