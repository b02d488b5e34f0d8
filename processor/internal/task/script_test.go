package task_test

import (
	"testing"

	"github.com/millrace/millrace/processor/internal/scripttest"
)

// TestScripts runs the stories of testdata. Their language is below, that of their
// topologies in piping. A script has one application, its topics, and a wall clock
// that stands at 0 until it ticks; times are ms, and topic[1] is partition 1 of a
// topic.
//
// Nothing happens that no command says: a task reads, processes, commits and is
// told the time when the script has it do so, so that a script can stop between
// any two of these.
func TestScripts(t *testing.T) {
	scripttest.Run(t, "testdata/*.txt", func() scripttest.Language { return newRig().language() })
}

// language is what the scripts of a task say. Where TASK may be left out all tasks
// are meant, one after the other.
func (r *rig) language() scripttest.Language {
	return scripttest.Language{
		// topology builds the application, or another version of it: what topics and
		// changelogs hold and what was committed stays.
		{Usage: "topology [partitions=] <lines>", Run: r.build},
		// start begins the tasks where they have committed. run= makes it a bounded run,
		// which ends where the topics end now. careful sets a savepoint before each
		// record. max-idle= is Config.MaxIdle, -1 if it is left out.
		{Usage: "start [run=] [careful] [max-idle=]", Run: r.start},
		// put writes records to a topic, a line each: [@OFFSET] TIME KEY VALUE, "-" for
		// none. A line that begins with "control" is a control record of an upstream
		// task: control TASK/TASKS PASSED [idle] [ended].
		{Usage: "put TOPIC [partition=] <lines>", Run: r.put},
		// fetch hands records to a task, all there are but for n=, of all its topics but
		// for topic=.
		{Usage: "fetch [TASK] [topic=] [n=]", Run: r.named((*rigTask).fetch)},
		// step processes what was fetched, n= records at most.
		{Usage: "step [TASK] [n=]", Run: r.named((*rigTask).step)},
		// process is fetch and step.
		{Usage: "process [TASK]", Run: r.named((*rigTask).process)},
		// align holds back what has run too far ahead, as a worker does before each step.
		{Usage: "align", Run: r.align},
		// tick lets time pass, by both clocks. Then the tasks are told where their topics
		// end, if they ask, but for those in silence=. It prints the inputs that have changed.
		{Usage: "tick FOR [silence=]", Run: r.tick},
		// clock sets the wall clock alone.
		{Usage: "clock wall=", Run: r.setClock},
		// time prints where the time of each operator stands, and what holds it.
		{Usage: "time [TASK]", Run: r.named((*rigTask).time)},
		// prepare prints what a task wants committed; deliver brings the oldest of that
		// into Kafka; commit is both.
		{Usage: "prepare [TASK]", Run: r.named((*rigTask).prepare)},
		{Usage: "deliver [TASK]", Run: r.named((*rigTask).deliver)},
		{Usage: "commit [TASK]", Run: r.named((*rigTask).commit)},
		// abort begins a task again over the same stores, from its last commit. After a
		// record that failed it is careful from there on, or with skip it has the record
		// on its skip list.
		{Usage: "abort [TASK] [skip]", Run: r.named((*rigTask).abort)},
		// restart is a crash: what was committed is on the disk. move has another worker
		// go on, which has nothing but the changelogs and the offsets.
		{Usage: "restart [TASK]", Run: r.named((*rigTask).restart)},
		{Usage: "move [TASK]", Run: r.named((*rigTask).move)},
		// metadata prints what lies with the committed offsets.
		{Usage: "metadata [TASK]", Run: r.named((*rigTask).metadata)},
		// stores prints how far each store has come.
		{Usage: "stores [TASK]", Run: r.named((*rigTask).positions)},
	}
}
