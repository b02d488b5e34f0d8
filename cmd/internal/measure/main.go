package main

import (
	"errors"
	"fmt"
	"io"
	"os"
)

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// run measures the tree that the arguments name.
func run(args []string, out io.Writer) error {
	folder := "."
	switch {
	case len(args) == 1:
		folder = args[0]
	case len(args) > 1:
		return errors.New("measure: more than one folder; usage: measure [FOLDER]")
	}
	t, err := readTree(os.DirFS(folder))
	if err != nil {
		return fmt.Errorf("measure: reading the Go code of %s: %w", folder, err)
	}
	return printSheet(out, t)
}
