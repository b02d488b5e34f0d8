package compare

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// volumeSpare is by how much a matched loop may miss its volume: a share of it, and a
// record for each partition.
const volumeSpare = 0.05

// matchedFlags tell the matched loop how much a run of Millrace has written.
//
// A processor that encodes each dirty key once per commit writes d(n) = K(1-exp(-n/K))
// records for the n records of a commit over K keys: with few keys so many per commit
// whatever n is, with many keys so many per record. The loop commits as often but has
// other n, for its speed is another; so it gets the tangent of d at the n of the run:
// a part per record and a part per commit. Map writes as the input comes, and so do final
// results, on average.
func matchedFlags(load Load, r Result) []string {
	outputs, changelog := volumes(load, r)
	args := []string{
		"-outputs-per-record", number(outputs.perRecord), "-outputs-per-commit", number(outputs.perCommit),
		"-changelog-per-record", number(changelog.perRecord), "-changelog-per-commit", number(changelog.perCommit),
	}
	if r.Outputs > 0 {
		args = append(args, "-output-bytes", fmt.Sprint(r.OutputBytes/r.Outputs))
	}
	if r.Changelog > 0 {
		args = append(args, "-changelog-bytes", fmt.Sprint(r.ChangelogBytes/r.Changelog))
	}
	return args
}

// volumes are what a run has written.
func volumes(load Load, r Result) (outputs, changelog share) {
	records := float64(max(1, r.Records))
	n := records / float64(max(1, r.Transactions))
	slope := slopeOf(n, float64(load.Keys))
	outputs = share{perRecord: float64(r.Outputs) / records}
	if !strings.HasSuffix(load.Workload, "final") && load.Workload != "map" {
		outputs = split(outputs.perRecord, n, slope)
	}
	return outputs, split(float64(r.Changelog)/records, n, slope)
}

// checkVolume compares what a matched loop has written with what it was to write: that
// is all there is to check.
func checkVolume(load Load, run, loop Result) error {
	outputs, changelog := volumes(load, run)
	for _, v := range []struct {
		what string
		of   share
		got  int64
	}{{"outputs", outputs, loop.Outputs}, {"changelog entries", changelog, loop.Changelog}} {
		want := v.of.perRecord*float64(loop.Records) + v.of.perCommit*float64(loop.Transactions)
		if math.Abs(float64(v.got)-want) > volumeSpare*want+partitions {
			return fmt.Errorf("compare: a matched loop wrote %d %s instead of %.0f", v.got, v.what, want)
		}
	}
	return nil
}

// A share of what is written goes with the records and a share with the commits.
type share struct{ perRecord, perCommit float64 }

// split divides what is written per record into the two, so that both together are the
// same at n records per commit.
func split(perRecord, n, slope float64) share {
	return share{perRecord: perRecord * slope, perCommit: perRecord * n * (1 - slope)}
}

// slopeOf is how much of what is written grows with the records of a commit: the
// elasticity n d'(n) / d(n), from 1 where no key comes twice to 0 where all do.
func slopeOf(n, keys float64) float64 {
	x := n / keys
	if x < 1e-9 {
		return 1
	}
	return x * math.Exp(-x) / -math.Expm1(-x)
}

func number(v float64) string { return strconv.FormatFloat(v, 'f', 6, 64) }
