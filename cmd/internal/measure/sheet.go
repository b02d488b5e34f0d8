package main

import (
	"fmt"
	"io"
	"text/tabwriter"
)

// figure is one line of the sheet.
type figure struct {
	name string
	of   func(files []*file) string
}

// numbers are the figures that code, tests and both together have.
func numbers() []figure {
	return []figure{
		{"packages", func(fs []*file) string { return fmt.Sprint(len(packageLines(fs))) }},
		{"files", func(fs []*file) string { return fmt.Sprint(len(fs)) }},
		{"functions", func(fs []*file) string { return fmt.Sprint(len(functionLines(fs))) }},
		{"lines", func(fs []*file) string { return fmt.Sprint(commentShare(fs).whole) }},
		{"lines of a package: median / p90 / largest", func(fs []*file) string { return packageLines(fs).summary(50, 90) }},
		{"lines of a file: median / p90 / largest", func(fs []*file) string { return fileLines(fs).summary(50, 90) }},
		{"lines of a function: median / p95 / p99 / largest", func(fs []*file) string { return functionLines(fs).summary(50, 95, 99) }},
		{"unexported functions of one word", func(fs []*file) string { return oneWordFuncs(fs).percent() }},
		{"unexported types of one word", func(fs []*file) string { return oneWordTypes(fs).percent() }},
		{"comment lines, of all lines", func(fs []*file) string { return commentShare(fs).percent() }},
		{"comment lines, of lines not blank", func(fs []*file) string { return denseCommentShare(fs).percent() }},
		{"exported names with a doc comment", func(fs []*file) string { return documented(fs).percent() }},
		{`"behind" per 1,000 comment lines`, func(fs []*file) string { return behind(fs).perThousand() }},
		{`"says that" in doc comments`, func(fs []*file) string { return fmt.Sprint(saysThat(fs)) }},
	}
}

// places name the largest of each kind.
func places() []figure {
	return []figure{
		{"package: lines", func(fs []*file) string { return place(packageLines(fs)) }},
		{"file: lines", func(fs []*file) string { return place(fileLines(fs)) }},
		{"function: lines", func(fs []*file) string { return place(functionLines(fs)) }},
		{"type: fields + methods", largestType},
	}
}

func place(d distribution) string {
	name, lines := d.largest()
	if name == "" {
		return "-"
	}
	return fmt.Sprintf("%d  %s", lines, name)
}

// printSheet prints three tables: the numbers, the largest of each kind, and
// what users name. The last is left out of a tree without those packages.
func printSheet(out io.Writer, t *tree) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "figure\tcode\ttests\tboth")
	for _, f := range numbers() {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", f.name, f.of(t.code()), f.of(t.tests()), f.of(t.files))
	}
	fmt.Fprintln(w, "\nlargest\tin the code\tin the tests")
	for _, f := range places() {
		fmt.Fprintf(w, "%s\t%s\t%s\n", f.name, f.of(t.code()), f.of(t.tests()))
	}
	heading := "\nexported names\tin all\tnot named by users\n"
	for _, dir := range []string{"windowing", "state"} {
		if s := unnamed(t, dir); s.whole > 0 {
			fmt.Fprintf(w, "%s%s\t%d\t%d\n", heading, dir, s.whole, s.part)
			heading = ""
		}
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("measure: printing: %w", err)
	}
	return nil
}
