package task

import "testing"

// A failure in another task asks for savepoints, and not for what a failure of this one asked for long ago.
func TestExactnessEndsWithTheSavepoints(t *testing.T) {
	x := Task{savepoint: savepoint{exact: true, left: 1}}
	x.savepoint.pass()
	if x.BeCareful(); x.Exact() || x.Careful() != CarefulRecords {
		t.Errorf("exact %v, careful for %d records", x.Exact(), x.Careful())
	}
}
