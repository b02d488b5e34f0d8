package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/millrace/millrace/cmd/millrace/internal/demo"
)

const demoText = `Counts the requests and bytes of each client in a web server's access log, in
windows of five minutes, exactly once.

Without flags it needs nothing: it starts a broker inside this process, loads a
real log of 10,000 requests into the topic web.access and runs the processor.
The results go to web.traffic.5m, requests that come more than a minute too late
for their window to web.traffic.late, lines that are no requests to
web.access.dead. A summary of what a reader of committed records finds there is
printed.

With --crash the processor is a process of its own that is killed (SIGKILL) in
the midst of its commits and started again. The result is the same.`

func demoCommand() *cobra.Command {
	opt := demo.Options{Output: demo.Text, Seed: 1}
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Count a real access log, and survive crashes",
		Long:  demoText,
		Example: `  millrace demo
  millrace demo --crash 20 --seed 7
  millrace demo --input /var/log/apache2/access.log --output json | jq .
  millrace demo --brokers localhost:9092`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			opt.Out, opt.Talk = cmd.OutOrStdout(), cmd.ErrOrStderr()
			if opt.Executable, err = os.Executable(); err != nil {
				return fmt.Errorf("find this program, to start the processor: %w", err)
			}
			return demo.Run(cmd.Context(), opt)
		},
	}
	f := cmd.Flags()
	f.StringVar(&opt.Input, "input", "", "`file` in the common or combined log format (default: the log that comes with millrace)")
	f.IntVar(&opt.Crashes, "crash", 0, "kill the processor this many `times`, committing every 100 records")
	f.Uint64Var(&opt.Seed, "seed", opt.Seed, "fixes where the processor is killed")
	f.StringSliceVar(&opt.Brokers, "brokers", nil, "`host:port,...` of a Kafka cluster (default: a broker inside this process)")
	f.StringVar(&opt.StateDir, "state-dir", "", "`directory` that keeps the processor's state (default: a temporary one)")
	f.StringVar(&opt.Output, "output", opt.Output, "`form` of the result: text, or json: one object per committed output record on stdout")
	return cmd
}
