package main

import (
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kfake"
)

// TestCommands loads a topic, makes an empty sink and has the check find it empty,
// all by the command line.
func TestCommands(t *testing.T) {
	fake, err := kfake.NewCluster(kfake.NumBrokers(1))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(fake.Close)
	brokers := strings.Join(fake.ListenAddrs(), ",")
	for _, tc := range []struct{ args, want, fails string }{
		{"load -topic in -n 1000 -partitions 2 -flush 60s", "in: 1002 records in ", ""},
		{"load -topic in -n 1000 -partitions 2 -flush 60s", "in: 1002 records are there already", ""},
		{"load -topic in -n 2000 -partitions 2", "", "recreate it"},
		{"load -topic in -partitions 2 -keys 50 -every-key -recreate", "in: 50 records in ", ""},
		{"topic -topic out,other -partitions 2", "", ""},
		{"topic -topic other -delete", "", ""},
		{"check -workload copy -in in -out out", "0 passed, 50 failed (missing 50,", "differs from the truth"},
		{"check -workload copy -in in -out in", "50 passed, 0 failed", ""},
		{"check -workload ssjoin -in in -out out", "", "2 input topics"},
		{"check -workload nonsense -in in -out out", "", "unknown workload"},
		{"check -workload copy", "", "-in and -out are required"},
		{"load", "", "-topic is required"},
		{"load -topic in -keys 0", "", "0 keys"},
		{"topic", "", "-topic is required"},
		{"topic -topic out extra", "", "no arguments but flags"},
	} {
		name, rest, _ := strings.Cut(tc.args, " ")
		args := append([]string{name, "-brokers", brokers}, strings.Fields(rest)...)
		var out strings.Builder
		err := run(t.Context(), args, &out, io.Discard)
		if !strings.Contains(out.String(), tc.want) {
			t.Errorf("bench %s: printed %q, want %q", tc.args, out.String(), tc.want)
		}
		if (err != nil) != (tc.fails != "") || err != nil && !strings.Contains(err.Error(), tc.fails) {
			t.Errorf("bench %s: error %v, want %q", tc.args, err, tc.fails)
		}
	}
}

func TestUsage(t *testing.T) {
	for args, said := range map[string]string{
		"": "usage: ", "dance": `no command "dance"`, "load -fast": "-fast", "table -brokers a:1": "-brokers", // it starts its own
	} {
		var talk strings.Builder
		if err := run(t.Context(), strings.Fields(args), io.Discard, &talk); !errors.Is(err, errUsage) || !strings.Contains(talk.String(), said) {
			t.Errorf("bench %s: %v, said %q", args, err, talk.String())
		}
	}
	if err := run(t.Context(), []string{"load", "-h"}, io.Discard, io.Discard); err != nil {
		t.Errorf("-h: %v", err)
	}
}
