// Package meter measures a contender from within its own process, in the same way for
// all that are written in Go: how fast it went in the steady middle of its input, what
// that cost itself, the broker and the rest of the machine, and what it wrote.
package meter

import (
	"cmp"
	"slices"
	"time"
)

// The steady middle of a run, in percent of what was done in all.
const (
	steadyFrom = 30
	steadyTo   = 90
)

// A Meter takes readings in the course of a run. The zero value is ready. One goroutine
// may use it.
type Meter struct {
	// BrokerPID is the process of the broker, 0 if it is not to be measured.
	BrokerPID int
	readings  []reading
}

// A reading says what was done and used by a moment.
type reading struct {
	records int64
	at      time.Time
	cpu     time.Duration // of this process
	broker  time.Duration // of the broker's process
	machine time.Duration // of all processes
}

// Mark reads the clocks, when this many records are done. Counts must not go back.
func (m *Meter) Mark(records int64) {
	m.readings = append(m.readings, reading{records, time.Now(), OwnCPU(), processCPU(m.BrokerPID), machineCPU()})
}

// Done is the number of records done at the last mark.
func (m *Meter) Done() int64 {
	if len(m.readings) == 0 {
		return 0
	}
	return m.readings[len(m.readings)-1].records
}

// Steady is what a run did between 30 % and 90 % of the records it has done: without
// its start and without its end. All zero if that took no time.
type Steady struct {
	Seconds       float64 // how long that took
	RecordsPerSec float64
	CPU           float64 // seconds per million records, of this process
	Broker        float64 // the same of the broker; 0 if it was not measured
	Others        float64 // what everything else on the machine used, in percent of one core; 0 if the broker was not measured
}

// Steady computes the figures from the readings, interpolating between them.
func (m *Meter) Steady() Steady {
	done := m.Done()
	a, b := m.at(done*steadyFrom/100), m.at(done*steadyTo/100)
	took, millions := b.at.Sub(a.at).Seconds(), float64(b.records-a.records)/1e6
	if took <= 0 || millions <= 0 {
		return Steady{}
	}
	s := Steady{
		Seconds:       took,
		RecordsPerSec: millions * 1e6 / took,
		CPU:           (b.cpu - a.cpu).Seconds() / millions,
	}
	if m.BrokerPID > 0 {
		broker := b.broker - a.broker
		s.Broker = broker.Seconds() / millions
		s.Others = max(0, ((b.machine-a.machine)-(b.cpu-a.cpu)-broker).Seconds()/took*100)
	}
	return s
}

// at interpolates the moment when so many records were done.
func (m *Meter) at(records int64) reading {
	if len(m.readings) == 0 {
		return reading{}
	}
	i, _ := slices.BinarySearchFunc(m.readings, records, func(r reading, n int64) int { return cmp.Compare(r.records, n) })
	if i == 0 || i == len(m.readings) {
		return m.readings[min(i, len(m.readings)-1)]
	}
	a, b := m.readings[i-1], m.readings[i]
	f := float64(records-a.records) / float64(b.records-a.records)
	part := func(from, to time.Duration) time.Duration { return from + time.Duration(f*float64(to-from)) }
	return reading{
		records: records,
		at:      a.at.Add(time.Duration(f * float64(b.at.Sub(a.at)))),
		cpu:     part(a.cpu, b.cpu),
		broker:  part(a.broker, b.broker),
		machine: part(a.machine, b.machine),
	}
}
