package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/millrace/millrace/processor"
)

const resetText = `Makes an application start over, from where its input topics begin: deletes the
committed offsets of its group, its changelog and repartition topics, and its
local state. What it wrote to its output topics stays there.

Stop all instances first; the command refuses while the group has members, a
transaction of it is open, or the state directory is in use. Without --execute
the plan is printed and nothing is done.

Which internal topics are the application's is known from the group's offsets:
those in which it has some, and those that are noted with them as written by the
application, in whatever version. These go with the offsets, always. Others are
told by their names, <application id>-...-changelog and
<application id>-...-repartition, which can be read in several ways: those of
application "app-2" look like those of "app". A topic that may be another
application's is never deleted unless --internal-topics names it; with that flag
no other is, but those that go with the offsets.

The connection is neither encrypted nor authenticated. Where that is wanted, a
program does the same with processor.PlanReset.

The exit code is 0 if the plan was printed, if it was executed, and if there was
nothing to do, and 1 if the reset was refused or failed. One that failed can be
repeated.`

// undecidedText follows a plan that is not certain.
const undecidedText = `
A topic marked "ask" may be the application's. Say which are, with
  --internal-topics %s
or fewer of them; --internal-topics= is none.
`

func resetCommand() *cobra.Command {
	var cfg processor.ResetConfig
	var execute bool
	cmd := &cobra.Command{
		Use:   "reset",
		Short: "Make an application start over: offsets, internal topics, local state",
		Long:  resetText,
		Example: `  millrace reset --application-id views --brokers localhost:9092
  millrace reset --application-id views --brokers localhost:9092 --state-dir /var/lib/millrace --execute`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			plan, err := processor.PlanReset(cmd.Context(), cfg)
			if err != nil {
				return err
			}
			return carryOut(cmd, plan, execute)
		},
	}
	f := cmd.Flags()
	f.StringVar(&cfg.ApplicationID, "application-id", "", "`id` of the application, which is the name of its consumer group")
	f.StringSliceVar(&cfg.Brokers, "brokers", nil, "`host:port,...` of the Kafka cluster")
	f.StringSliceVar(&cfg.InputTopics, "input-topics", nil, "forget the offsets of these `topics` only (default: of all)")
	f.StringSliceVar(&cfg.InternalTopics, "internal-topics", nil, "delete these `topics`, beside those that go with the offsets, and no others (default: those that can only be the application's)")
	f.StringVar(&cfg.StateDir, "state-dir", "", "`directory` that holds the local state of applications; that of this one is removed (default: it is left alone)")
	f.BoolVar(&execute, "execute", false, "do it")
	for _, name := range []string{"application-id", "brokers"} {
		if err := cmd.MarkFlagRequired(name); err != nil {
			panic(err) // the flag is defined above
		}
	}
	return cmd
}

// carryOut shows the plan, and executes it if that is wanted.
func carryOut(cmd *cobra.Command, plan *processor.ResetPlan, execute bool) error {
	out := cmd.OutOrStdout()
	fmt.Fprint(out, plan)
	if len(plan.Undecided()) > 0 {
		fmt.Fprintf(out, undecidedText, strings.Join(plan.Internal(), ","))
	}
	switch {
	case plan.Nothing():
		return nil
	case !execute:
		fmt.Fprintln(out, "\nNothing is done yet; --execute does it.")
		return nil
	}
	return perform(cmd, out, plan)
}

func perform(cmd *cobra.Command, out io.Writer, plan *processor.ResetPlan) error {
	fmt.Fprintln(out)
	if err := plan.Execute(cmd.Context(), func(done string) { fmt.Fprintln(out, done) }); err != nil {
		return err
	}
	fmt.Fprintf(out, "application %q starts over when it is started\n", plan.ApplicationID)
	return nil
}
