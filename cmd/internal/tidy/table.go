package tidy

import "regexp"

// Libraries by their role, so that the table reads as rooms.
const (
	pebble     = "github.com/cockroachdb/pebble/v2/..."
	xxhash     = "github.com/cespare/xxhash/v2"
	kgo        = "github.com/twmb/franz-go/pkg/kgo"
	kadm       = "github.com/twmb/franz-go/pkg/kadm"
	kmsg       = "github.com/twmb/franz-go/pkg/kmsg"
	kversion   = "github.com/twmb/franz-go/pkg/kversion"
	kerr       = "github.com/twmb/franz-go/pkg/kerr"
	kfake      = "github.com/twmb/franz-go/pkg/kfake/..."
	sr         = "github.com/twmb/franz-go/pkg/sr"
	zap        = "go.uber.org/zap/..."
	prometheus = "github.com/prometheus/..."
	uuid       = "github.com/google/uuid"
	datadriven = "github.com/cockroachdb/datadriven"
)

// Millrace returns the rules of this repository.
func Millrace() Rules {
	return Rules{
		Module: "github.com/millrace/millrace",
		Root: []string{
			"cmd", "processor", "state", "windowing", "schemaregistry", "connectors", "deploy", "testdata",
			"go.mod", "go.sum", "Makefile", "README.md", "LICENSE", "CONTRIBUTING.md", "CHANGELOG.md",
		},
		Packages:    append(foundations(), table()...),
		TestImports: []string{kfake},
		Pure: []string{"processor/internal/graph", "processor/internal/task", "processor/internal/assign",
			"windowing", "windowing/internal/grid", "windowing/suppress"},
		MaxFile:       600,
		LongFile:      150,
		MaxFunction:   70,
		LongFunctions: nil,
		Numbers:       map[string]string{"processor": "processor/INVARIANTS.md"},
		Banned:        []string{"manager", "helper", "util", "utility", "utilities", "common", "base", "impl"},
		Forbidden:     forbidden(),
		Data:          []string{"testdata/web_access.log"},
	}
}

// foundations are the rooms that know nothing of Kafka: bytes, state and time.
func foundations() []Package {
	return []Package{
		{Pattern: "schemaregistry/serde"},
		{Pattern: "schemaregistry/serde/serdetest", Imports: []string{"schemaregistry/serde"}},
		{Pattern: "schemaregistry", Imports: []string{"schemaregistry/serde", sr}},

		{Pattern: "state/internal/engine", Imports: []string{pebble}},
		{Pattern: "state", Imports: []string{"state/internal/engine", "schemaregistry/serde", xxhash, uuid}},
		{Pattern: "state/statetest", Imports: []string{"state", "state/internal/engine", "schemaregistry/serde", pebble}},
		{Pattern: "windowing/internal/grid"},
		{Pattern: "windowing", Imports: []string{"windowing/internal/grid", "state", "schemaregistry/serde"}},
		{Pattern: "windowing/suppress", Imports: []string{"windowing", "windowing/internal/grid", "state", "schemaregistry/serde"}},
	}
}

// table is the import table, lowest room first. Every arrow points down.
func table() []Package {
	return []Package{
		{Pattern: "processor/internal/partitioner", Imports: []string{kgo}},
		{Pattern: "processor/internal/scripttest", Imports: []string{datadriven}}, // for tests alone
		{Pattern: "processor/internal/assign", Tests: []string{"processor/internal/scripttest"}},
		{Pattern: "processor/internal/stack"},
		{Pattern: "processor/internal/planted"},
		{Pattern: "processor/internal/invariant"},
		{Pattern: "processor/internal/steps"},
		{Pattern: "processor/internal/graph", Imports: []string{"processor/internal/stack", "state", "windowing", "schemaregistry/serde"}},
		{Pattern: "processor/internal/task", Imports: []string{"processor/internal/graph", "processor/internal/planted", "processor/internal/invariant", "state", "windowing"},
			Tests: []string{"processor/stream", "processor/internal/partitioner", "processor/internal/scripttest"}}, // tests run topologies as users write them
		{Pattern: "processor/internal/broker", Imports: []string{kgo, kmsg, kerr}},
		{Pattern: "processor/internal/group", Imports: []string{
			"processor/internal/broker", "processor/internal/task", "processor/internal/assign", "state", kgo, kmsg, kerr,
		}, Tests: []string{"processor/internal/scripttest"}},
		{Pattern: "processor/internal/topics", Imports: []string{
			"processor/internal/broker", "processor/internal/group", "processor/internal/task", "processor/internal/graph",
			"state", "windowing", kgo, kadm, kmsg, kerr,
		}, Tests: []string{"schemaregistry/serde"}},
		{Pattern: "processor/internal/commit", Imports: []string{
			"processor/internal/broker", "processor/internal/group", "processor/internal/task", "processor/internal/graph", "processor/internal/planted",
			"state", kgo, kmsg, kerr, kversion,
		}},
		{Pattern: "processor/internal/restore", Imports: []string{
			"processor/internal/broker", "processor/internal/group", "processor/internal/topics",
			"processor/internal/task", "processor/internal/graph", "processor/internal/planted", "state", kgo, kmsg, kerr,
		}, Tests: []string{"schemaregistry/serde", "processor/internal/scripttest"}},
		{Pattern: "processor/internal/worker", Imports: []string{
			"processor/internal/broker", "processor/internal/group", "processor/internal/topics", "processor/internal/commit", "processor/internal/restore",
			"processor/internal/task", "processor/internal/graph", "processor/internal/assign", "processor/internal/partitioner",
			"processor/internal/planted", "state", kgo, kadm, kerr,
		}},
		{Pattern: "processor/internal/reset", Imports: []string{
			"processor/internal/task", "processor/internal/graph", "state", kgo, kadm, kerr,
		}},
		{Pattern: "processor/internal/sim", Imports: []string{
			"processor/...", "windowing", "state/...", "schemaregistry/...", kgo, kadm, kmsg, kerr, kversion, kfake, pebble,
		}},
		{Pattern: "processor", Imports: []string{
			"processor/internal/worker", "processor/internal/broker", "processor/internal/reset", "processor/internal/steps",
			"processor/internal/task", "processor/internal/graph", "processor/internal/assign",
			"windowing", "state", "schemaregistry/serde", zap, prometheus,
			kgo, // names kgo.Opt in Config, nothing else
		}, Tests: []string{"processor/stream"}},
		{Pattern: "processor/stream", Imports: []string{
			"processor", "processor/internal/graph", "windowing", "windowing/suppress", "state", "schemaregistry/serde",
		}},
		{Pattern: "processor/processortest", Imports: []string{
			"processor", "processor/internal/task", "processor/internal/graph", "processor/internal/partitioner", "processor/internal/steps",
			"processor/stream", "windowing", "state", "schemaregistry/serde",
		}},

		{Pattern: "connectors", Imports: []string{"processor", "schemaregistry/serde"}},
		{Pattern: "connectors/*", Imports: []string{"connectors", "processor", "schemaregistry/serde"}},
		{Pattern: "cmd/internal/measure", Imports: []string{"cmd/internal/tidy"}}, // reads any tree, so it knows none
		{Pattern: "cmd/...", Imports: []string{"..."}},
	}
}

func forbidden() []Forbidden {
	return []Forbidden{
		{regexp.MustCompile(`\.\./shared\b`), "the tree stands alone"},
		{regexp.MustCompile(`(^|[^\w./-])/(work|root|Users)(/|\b)|(^|[^\w./-])/home/\w`), "a path of one machine"},

		{regexp.MustCompile(`\b(proxy\.golang\.org|repo1?\.maven\.|sum\.golang\.org)`), "name packages, not the hosts they come from"},
		{regexp.MustCompile(`(?i)\bissues? #?[0-9]+\b`), "numbers of a tracker mean nothing here; say what it is about"},
	}
}
