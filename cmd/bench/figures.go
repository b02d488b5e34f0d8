package main

import (
	"encoding/json"
	"io"

	"github.com/millrace/millrace/cmd/bench/internal/meter"
)

// figures are the JSON line about one run. The first fields, to restore_rec_per_s, are
// those of the Kafka Streams contender, with the same names and meaning.
type figures struct {
	Workload string `json:"workload"`
	Config   string `json:"config"`
	// Records is the size of the input.
	Records int64 `json:"records"`
	// RecPerSec and CPUPerMillion, the seconds of CPU time of this process for a million
	// records, are those of the time between 30 % and 90 % of the records done.
	RecPerSec     float64 `json:"rec_per_s"`
	CPUPerMillion float64 `json:"cpu_s_per_mrec"`
	PeakMB        int64   `json:"rss_mb"`
	Wall          float64 `json:"wall_s"`
	// Complete says that the whole input was consumed and committed.
	Complete bool `json:"complete"`
	// Committed is how many records that was.
	Committed       int64   `json:"committed"`
	Threads         int     `json:"threads"`
	Guarantee       string  `json:"guarantee"`
	CommitMS        int64   `json:"commit_ms"`
	Commits         int     `json:"commits"`
	CPU             float64 `json:"cpu_s"` // of the whole process, from its start
	GC              float64 `json:"gc_s"`  // CPU time of the collector, part of CPU
	Restored        int64   `json:"restored"`
	Restore         float64 `json:"restore_s"`
	RestoredRecPerS float64 `json:"restore_rec_per_s"`

	Contender string `json:"contender"`
	// BrokerPerMillion is the broker's CPU time as CPUPerMillion is ours, and Others what
	// the rest of the machine used at the same time, in percent of one core: 0 without
	// -broker-pid.
	BrokerPerMillion float64 `json:"broker_cpu_s_per_mrec"`
	Others           float64 `json:"others_pct"`
	// Outputs and Changelog are records written to the sink and to changelogs. Their bytes
	// are those of the records as encoded, without the headers of batches.
	Outputs        int64 `json:"outputs"`
	OutputBytes    int64 `json:"output_bytes"`
	Changelog      int64 `json:"changelog"`
	ChangelogBytes int64 `json:"changelog_bytes"`
	// CommitDelays are how long commits took, in ms.
	CommitDelays meter.Percentiles `json:"commit_took_ms"`
	// Steps are, for loops, how long the steps of the commits took.
	Steps map[string]meter.Percentiles `json:"commit_steps_ms,omitempty"`
	// Conflicts counts, for loops that were asked to, the answers CONCURRENT_TRANSACTIONS.
	Conflicts *int64 `json:"conflicts,omitempty"`
	// Aborts counts commits that were undone and repeated.
	Aborts int64 `json:"aborts"`
	// Checked counts output rows that were compared with the truth and are right.
	Checked int64 `json:"rows_checked,omitempty"`
}

// steady takes over the figures of the steady middle.
func (f *figures) steady(s meter.Steady) {
	f.RecPerSec = meter.Round(s.RecordsPerSec, 0)
	f.CPUPerMillion = meter.Round(s.CPU, 3)
	f.BrokerPerMillion = meter.Round(s.Broker, 3)
	f.Others = meter.Round(s.Others, 0)
}

// process takes over what this process has used.
func (f *figures) process() {
	f.PeakMB = meter.PeakRSS()
	f.CPU = meter.Round(meter.OwnCPU().Seconds(), 2)
	f.GC = meter.Round(meter.GarbageCPU().Seconds(), 2)
}

// print writes the line.
func (f *figures) print(out io.Writer) error { return json.NewEncoder(out).Encode(f) }
