package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace/millrace/processor"
)

// A preset is a named way to tune Millrace: public values of its Config, as a user would
// set them, and nothing else.
type preset struct {
	name, about string
	settings    string // as -set takes them
}

func presets() []preset {
	return []preset{
		{"M1", "the defaults", ""},
		{"M2", "3 GiB of state in memory", "state.memory.bytes=3221225472"},
		{"M3", "256 MiB of state in memory", "state.memory.bytes=268435456"},
	}
}

func presetNames() (names []string) {
	for _, p := range presets() {
		names = append(names, p.name)
	}
	return names
}

// tune applies a preset, and then the settings that override it one by one.
func tune(cfg *processor.Config, name, overrides string) error {
	all := presets()
	i := slices.IndexFunc(all, func(p preset) bool { return p.name == name })
	if i < 0 {
		return fmt.Errorf("run: there is no config %q, want one of %s", name, strings.Join(presetNames(), ", "))
	}
	if err := apply(cfg, all[i].settings); err != nil {
		return err
	}
	return apply(cfg, overrides)
}

// apply sets what a list like a=1,b=2 says; a later setting wins over an earlier one.
func apply(cfg *processor.Config, list string) error {
	if list == "" {
		return nil
	}
	for one := range strings.SplitSeq(list, ",") {
		name, value, _ := strings.Cut(one, "=")
		all := settings()
		i := slices.IndexFunc(all, func(s setting) bool { return s.name == name })
		if i < 0 {
			return fmt.Errorf("run: there is no setting %q, want one of %s", name, strings.Join(settingNames(), ", "))
		}
		n, err := strconv.Atoi(value)
		if err != nil {
			return fmt.Errorf("run: setting %s: %q is not a whole number", name, value)
		}
		all[i].set(cfg, n)
	}
	return nil
}

// A setting is a value of Config by the name that Kafka's own clients have for it, where
// they have one.
type setting struct {
	name string
	set  func(cfg *processor.Config, n int)
}

func settings() []setting {
	client := func(cfg *processor.Config, opt kgo.Opt) { cfg.Client = append(cfg.Client, opt) }
	millis := func(n int) time.Duration { return time.Duration(n) * time.Millisecond }
	return []setting{
		{"max.partition.fetch.bytes", func(c *processor.Config, n int) { client(c, kgo.FetchMaxPartitionBytes(int32(n))) }},
		{"max.task.idle.ms", func(c *processor.Config, n int) { c.MaxTaskIdle = millis(n) }},
		{"transaction.timeout.ms", func(c *processor.Config, n int) { c.TransactionTimeout = millis(n) }},
		{"state.memory.bytes", func(c *processor.Config, n int) { c.StateMemory = int64(n) }},
		{"commit.records", func(c *processor.Config, n int) { c.CommitRecords = n }},
	}
}

func settingNames() (names []string) {
	for _, s := range settings() {
		names = append(names, s.name)
	}
	return names
}
