// Package processortest runs a topology in a test, without a broker.
//
// A Driver runs the very task code that runs in production, one task for each
// partition, over an in-memory log. What is put in is processed at once; what
// comes out can be seen after Commit, as by a reader of committed records:
//
//	d := processortest.New(t, Build, processortest.Partitions(3))
//	in, out := processortest.Input(d, Clicks), processortest.Output(d, PerMinute)
//	in.Put(t0, "ann", Click{})
//	d.Crash() // before the commit: the record is read again
//	d.AdvanceTo(t0.Add(time.Minute))
//	d.Commit()
//	got := out.Drain()
//
// CheckExactlyOnce runs an application again and again with crashes, aborts and
// lost disks, and compares what it committed.
package processortest
