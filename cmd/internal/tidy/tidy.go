// Package tidy holds the shape of the repository as data and checks it: which
// package may import what, how long files and functions may get, which names
// are banned, what the top level may contain. Its test runs the checks on this
// repository. The table (table.go) is meant to be easy to change on purpose and
// hard to change by accident.
package tidy

import (
	"cmp"
	"fmt"
	"io/fs"
	"slices"
)

// A Finding is one place that breaks a rule. Line is 0 where a rule is about a
// whole file or folder.
type Finding struct {
	Path string // relative to the root, with slashes
	Line int
	Text string // what is wrong and what to do about it
}

// String formats the finding as editors expect it: path:line: text.
func (f Finding) String() string {
	if f.Line == 0 {
		return f.Path + ": " + f.Text
	}
	return fmt.Sprintf("%s:%d: %s", f.Path, f.Line, f.Text)
}

// Report is the outcome of one Check: findings fail the test, remarks are only
// printed.
type Report struct {
	Findings []Finding
	Remarks  []Finding
}

func (r *Report) add(path string, line int, format string, args ...any) {
	r.Findings = append(r.Findings, Finding{path, line, fmt.Sprintf(format, args...)})
}

func (r *Report) remark(path string, line int, format string, args ...any) {
	r.Remarks = append(r.Remarks, Finding{path, line, fmt.Sprintf(format, args...)})
}

// Check reads the whole tree and applies all rules. The error is about reading;
// a Go file that does not parse is a finding.
func Check(fsys fs.FS, rules Rules) (*Report, error) {
	t, err := readTree(fsys)
	if err != nil {
		return nil, fmt.Errorf("tidy: reading the tree: %w", err)
	}
	report := new(Report)
	for _, check := range []func(*tree, *Rules, *Report){
		checkRoot,
		checkParsed,
		checkImports,
		checkPurity,
		checkSizes,
		checkNames,
		checkDocs,
		checkReferences,
		checkNumbers,
		checkForbidden,
	} {
		check(t, &rules, report)
	}
	for _, list := range [][]Finding{report.Findings, report.Remarks} {
		slices.SortFunc(list, func(a, b Finding) int {
			return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Text, b.Text))
		})
	}
	return report, nil
}
