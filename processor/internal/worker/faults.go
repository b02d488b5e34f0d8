package worker

// Step is a point of the commit cycle at which a test can intervene.
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

var stepNames = [StepCount]string{"before-prepare", "before-flush", "after-flush", "after-offsets", "after-end", "after-apply"}

func (s Step) String() string { return stepNames[s] }

// Faults are for tests only: the zero value is the worker as it is shipped.
//
// At is called by the worker's goroutine at each step of a commit and may end
// it there, by a panic, runtime.Goexit or os.Exit, or hold it up.
//
// The switches plant one known bug each. They prove that the simulator finds
// such bugs; nothing else may set them.
type Faults struct {
	At func(Step)

	ApplyBeforeCommit   bool // state is applied once the changelog is flushed
	UnknownAsCommitted  bool // a commit whose answer got lost is taken for committed
	NoRestore           bool // changelogs are not read
	KeepOverlay         bool // an abort keeps the uncommitted state
	NoG1                bool // results of produced records are not looked at
	NoG2                bool // commits under another member id than the assignment's
	NoG3                bool // believes the callbacks' diffs instead of the assignment
	RestoreToLSO        bool // restores to the last stable offset instead of the end
	NoWatermark         bool // watermarks are not taken up again
	CommitPolled        bool // commits what was polled instead of what was processed
	TimerWithoutOffsets bool // commits results without offsets where no offset moved
}

func (f *Faults) at(s Step) {
	if f.At != nil {
		f.At(s)
	}
}
