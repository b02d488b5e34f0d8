// Package sim judges the exactly-once protocol. It has tests only.
//
// One run is a whole cluster in one process: a fake broker, a few hosts with
// the real worker on a disk that can lose what was not synced, a producer, and
// a nemesis that breaks things. Everything that is random follows from one
// seed. When the faults have stopped and all input is done, checkers that share
// no code with the runtime compare what was committed with the input.
//
//	make sim SEEDS=300 FROM=1     every seed must come out without a violation
//	make mutants                  every planted bug must be found
//
// Everything is behind the build tag synctests, so that nothing else links the
// fake broker.
//
// # Virtual time
//
// A run lives in one bubble of testing/synctest. Its clock moves only when every
// goroutine in the bubble is blocked on something of the bubble: a channel, a
// timer, a pipe. From this follow the rules for all code that runs in it, and
// for the runtime too:
//
//   - The build tag synctests is needed: it makes franz-go use locks that the
//     bubble understands. Without it the clock stops for ever.
//   - No mutex is held across anything that waits. A goroutine that waits for a
//     mutex is not blocked in the bubble's eyes.
//   - Nothing fails in zero time and is tried again at once: the clock would
//     never move. A refused connection costs 5 ms.
//   - No real network, no real file, no goroutine that outlives the run.
//   - time.Now is the bubble's clock, which begins at the year 2000.
//
// # Repeatability
//
// The seed fixes the options, the input and the stream of random numbers that
// the faults are drawn from. It does not fix the order in which goroutines run,
// so a native run is not repeatable: the same seed meets other interleavings
// each time. A violation is therefore printed with its seed, all its options
// and the last events before it; run its seed again, many times if need be.
package sim
