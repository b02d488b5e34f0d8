package demo

import "math/rand/v2"

// A plan chooses where the processor is killed: in how many commits' time, and
// at which step. It depends on the seed and on how much is left to do.
type plan struct{ random *rand.Rand }

func newPlan(seed uint64) *plan {
	return &plan{rand.New(rand.NewPCG(seed, 0x6d696c6c72616365))}
}

// next chooses the next of `crashes` deaths when about `commits` commits are
// still to come: late enough that all of the log is met, early enough that
// something is left for the deaths that follow. When little is left it chooses
// steps that lose the commit, so that every restart has it to do again.
func (p *plan) next(commits, crashes int) (survive int, step string) {
	all := steps()
	const spare = 3 // commits may turn out larger than planned
	room := commits - crashes - spare
	if room < 0 {
		all = stepsBefore()
		room = 0
	}
	survive = p.random.IntN(min(room, 2*room/crashes) + 1)
	return survive, all[p.random.IntN(len(all))]
}
